//! Streams and tables (facts §5): lists, statements, details, schema.

use serde_json::json;

use super::routes::Op;
use super::{Call, Response, TEXT, body, path};
use crate::catalog::sources::{noun, title};
use crate::catalog::text::{go_json, html_escape};
use crate::catalog::{Control, Fault, Host, TableKind};
use crate::sql::ddl::check_id;

pub(super) fn serve<H: Host>(control: &mut Control<H>, op: Op, call: &Call<'_>) -> Result<Response, Fault> {
    match op {
        Op::ListSources { table } => Ok(Response::json(go_json(&json!(control.source_names(table, kind(table, call)))))),
        Op::SourceDetails { table } => Ok(Response::json(details(control, table, kind(table, call)))),
        Op::RunStatement { table } => {
            let done = control.run_ddl(&statement(call)?).map_err(|e| e.under(&format!("{} command error", title(table))))?;
            Ok(Response::new(201, TEXT, html_escape(&done)))
        }
        Op::DescribeSource { table } => {
            let name = named(call)?;
            let create = control.describe_source(name, table).map_err(|e| e.under(&format!("describe {} error", noun(table))))?;
            Ok(Response::json(create.to_json()))
        }
        Op::DropSource { table } => {
            let name = named(call)?;
            let done = control.drop_source(name, table, path::is_true(&call.query("force")));
            // The refusal of a stream in use stands alone, as in eKuiper.
            let under = |e: Fault| if e.code == Fault::UNDEFINED { e } else { e.under(&format!("delete {} error", noun(table))) };
            done.map(Response::text).map_err(under)
        }
        Op::ReplaceSource { table } => {
            let name = named(call)?;
            let done = control.replace_source(name, &statement(call)?, table);
            done.map(Response::text).map_err(|e| e.under(&format!("{} command error", title(table))))
        }
        Op::SourceSchema { table } => {
            let schema =
                control.source_schema(call.param(0), table).map_err(|e| e.under(&format!("get schema of {} error", noun(table))))?;
            Ok(Response::json(schema))
        }
        _ => Err(Fault::new(Fault::GENERAL, "not a stream operation")),
    }
}

fn details<H: Host>(control: &Control<H>, table: bool, kind: TableKind) -> String {
    let names = control.source_names(table, kind);
    let creates = names.iter().filter_map(|name| control.sources().get(name)).map(|source| &source.create);
    let items: Vec<String> = creates
        .map(|create| {
            let typ =
                if create.options.kind_of_source.is_empty() { "mqtt".to_owned() } else { create.options.kind_of_source.to_lowercase() };
            let text = crate::catalog::text::json_string;
            let format = create.options.format_or_json();
            format!("{{\"name\":{},\"type\":{},\"format\":{}}}", text(&create.name), text(&typ), text(&format))
        })
        .collect();
    format!("[{}]", items.join(","))
}

fn kind(table: bool, call: &Call<'_>) -> TableKind {
    match call.query("kind").as_str() {
        "scan" if table => TableKind::Scan,
        "lookup" if table => TableKind::Lookup,
        _ => TableKind::Any,
    }
}

fn named<'c>(call: &'c Call<'_>) -> Result<&'c str, Fault> {
    check_id(call.param(0)).map_err(Fault::plain)?;
    Ok(call.param(0))
}

/// The statement in a body `{"sql": "..."}`.
fn statement(call: &Call<'_>) -> Result<String, Fault> {
    let sql = body::object(&call.request.body).and_then(|object| object.text("sql"));
    sql.map_err(|e| Fault::plain(format!("Invalid body: Error decoding the statement descriptor: {e}")))
}
