//! Every route of the management port in one table: path, methods, operation.
//!
//! A path is tried in the order of the table, as eKuiper's router does; `{}` matches one segment. The first row whose path and
//! method match wins; rows whose path alone matches make a 405 that lists their methods.

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table below says what each is")]
pub enum Op {
    Root,
    Stop,
    Ping,
    Counters,
    ListSources { table: bool },
    RunStatement { table: bool },
    SourceDetails { table: bool },
    DescribeSource { table: bool },
    DropSource { table: bool },
    ReplaceSource { table: bool },
    SourceSchema { table: bool },
    ListRules,
    CreateRule,
    GetRule,
    PutRule,
    DropRule,
    AllStatus,
    Status,
    StatusV2,
    StartRule,
    StopRule,
    RestartRule,
    Topo,
    RuleSchema,
    TraceStart,
    TraceStop,
    CpuUsage,
    Validate,
    ResetState,
    Explain,
    ExplainBounds,
    MatchTags,
    SetTags,
    AddTags,
    RemoveTags,
    ScanTables,
    BulkStart,
    BulkStop,
    CreateTrial,
    StartTrial,
    StopTrial,
    WatchTrial,
    ExportRuleset,
    ImportRuleset,
    PatchConfigs,
    Upload,
    ListUploads,
    RemoveUpload,
    ExportAll,
    ExportSome,
    ImportAll,
    ImportStatus,
    ExportYaml,
    ImportYaml,
    ImportAsync,
    GetTask,
    CancelTask,
    ListConnections,
    CreateConnection,
    GetConnection,
    PutConnection,
    DropConnection,
    Batch,
    Metrics,
    MetricsDump,
    MetricsDumpCheck,
    FunctionsMeta,
    OperatorsMeta,
    SinksMeta,
    SinkMeta,
    SourcesMeta,
    SourceMeta,
    ConnectionsMeta,
    ConnectionMeta,
    SourceKeys,
    SinkKeys,
    ConnectionKeys,
    PutSourceKey,
    DropSourceKey,
    PutSinkKey,
    DropSinkKey,
    PutConnectionKey,
    DropConnectionKey,
    Resource,
    Resources,
    PingSource,
    PingSink,
    PingLookup,
    ListNothing,
    NotSupported,
    ListSchemas,
    GetSchema,
}

/// Which file serves an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    Streams,
    Rules,
    Data,
    Meta,
    System,
}

impl Op {
    pub(crate) const fn area(self) -> Area {
        match self {
            Self::ListSources { .. }
            | Self::RunStatement { .. }
            | Self::SourceDetails { .. }
            | Self::DescribeSource { .. }
            | Self::DropSource { .. }
            | Self::ReplaceSource { .. }
            | Self::SourceSchema { .. } => Area::Streams,
            Self::ListRules
            | Self::CreateRule
            | Self::GetRule
            | Self::PutRule
            | Self::DropRule
            | Self::AllStatus
            | Self::Status
            | Self::StatusV2
            | Self::StartRule
            | Self::StopRule
            | Self::RestartRule
            | Self::Topo
            | Self::RuleSchema
            | Self::TraceStart
            | Self::TraceStop
            | Self::CpuUsage
            | Self::Validate
            | Self::ResetState
            | Self::Explain
            | Self::ExplainBounds
            | Self::MatchTags
            | Self::SetTags
            | Self::AddTags
            | Self::RemoveTags
            | Self::ScanTables
            | Self::BulkStart
            | Self::BulkStop
            | Self::CreateTrial
            | Self::StartTrial
            | Self::StopTrial
            | Self::WatchTrial => Area::Rules,
            Self::ExportRuleset
            | Self::ImportRuleset
            | Self::Upload
            | Self::ListUploads
            | Self::RemoveUpload
            | Self::ExportAll
            | Self::ExportSome
            | Self::ImportAll
            | Self::ImportStatus
            | Self::ExportYaml
            | Self::ImportYaml
            | Self::ImportAsync
            | Self::GetTask
            | Self::CancelTask
            | Self::Batch => Area::Data,
            Self::Root
            | Self::Stop
            | Self::Ping
            | Self::Counters
            | Self::PatchConfigs
            | Self::Metrics
            | Self::MetricsDump
            | Self::MetricsDumpCheck => Area::System,
            _ => Area::Meta,
        }
    }
}

const STREAM: bool = false;
const TABLE: bool = true;

/// The table.
pub static ROUTES: &[(&str, &str, Op)] = &[
    ("GET", "/", Op::Root),
    ("POST", "/", Op::Root),
    // GET as well in eKuiper; a link must not stop a gateway.
    ("POST", "/stop", Op::Stop),
    ("GET", "/ping", Op::Ping),
    ("GET", "/counters", Op::Counters),
    ("GET", "/streams", Op::ListSources { table: STREAM }),
    ("POST", "/streams", Op::RunStatement { table: STREAM }),
    ("GET", "/streamdetails", Op::SourceDetails { table: STREAM }),
    ("GET", "/streams/{}", Op::DescribeSource { table: STREAM }),
    ("DELETE", "/streams/{}", Op::DropSource { table: STREAM }),
    ("PUT", "/streams/{}", Op::ReplaceSource { table: STREAM }),
    ("GET", "/streams/{}/schema", Op::SourceSchema { table: STREAM }),
    ("GET", "/tables", Op::ListSources { table: TABLE }),
    ("POST", "/tables", Op::RunStatement { table: TABLE }),
    ("GET", "/tabledetails", Op::SourceDetails { table: TABLE }),
    ("GET", "/tables/{}", Op::DescribeSource { table: TABLE }),
    ("DELETE", "/tables/{}", Op::DropSource { table: TABLE }),
    ("PUT", "/tables/{}", Op::ReplaceSource { table: TABLE }),
    ("GET", "/tables/{}/schema", Op::SourceSchema { table: TABLE }),
    ("GET", "/rules", Op::ListRules),
    ("POST", "/rules", Op::CreateRule),
    ("GET", "/rules/{}", Op::GetRule),
    ("DELETE", "/rules/{}", Op::DropRule),
    ("PUT", "/rules/{}", Op::PutRule),
    ("GET", "/rules/status/all", Op::AllStatus),
    ("GET", "/rules/{}/status", Op::Status),
    ("GET", "/v2/rules/{}/status", Op::StatusV2),
    ("POST", "/rules/{}/start", Op::StartRule),
    ("POST", "/rules/{}/stop", Op::StopRule),
    ("POST", "/rules/{}/restart", Op::RestartRule),
    ("GET", "/rules/{}/topo", Op::Topo),
    ("GET", "/rules/{}/schema", Op::RuleSchema),
    ("POST", "/rules/{}/trace/start", Op::TraceStart),
    ("POST", "/rules/{}/trace/stop", Op::TraceStop),
    ("GET", "/rules/usage/cpu", Op::CpuUsage),
    ("POST", "/rules/validate", Op::Validate),
    ("PUT", "/rules/{}/reset_state", Op::ResetState),
    ("GET", "/rules/{}/explain", Op::Explain),
    // Ours: with the bytes that each step may hold.
    ("POST", "/rules/{}/explain", Op::ExplainBounds),
    ("GET", "/rules/tags/match", Op::MatchTags),
    ("PUT", "/rules/{}/tags", Op::SetTags),
    ("PATCH", "/rules/{}/tags", Op::AddTags),
    ("DELETE", "/rules/{}/tags", Op::RemoveTags),
    ("GET", "/rules/{}/scantables", Op::ScanTables),
    ("POST", "/rules/bulkstart", Op::BulkStart),
    ("POST", "/rules/bulkstop", Op::BulkStop),
    ("POST", "/ruleset/export", Op::ExportRuleset),
    ("POST", "/ruleset/import", Op::ImportRuleset),
    ("PATCH", "/configs", Op::PatchConfigs),
    ("POST", "/config/uploads", Op::Upload),
    ("GET", "/config/uploads", Op::ListUploads),
    ("DELETE", "/config/uploads/{}", Op::RemoveUpload),
    ("GET", "/data/export", Op::ExportAll),
    ("POST", "/data/export", Op::ExportSome),
    ("POST", "/data/import", Op::ImportAll),
    ("GET", "/data/import/status", Op::ImportStatus),
    ("GET", "/connections", Op::ListConnections),
    ("POST", "/connections", Op::CreateConnection),
    ("GET", "/connections/{}", Op::GetConnection),
    ("DELETE", "/connections/{}", Op::DropConnection),
    ("PUT", "/connections/{}", Op::PutConnection),
    ("POST", "/ruletest", Op::CreateTrial),
    ("POST", "/ruletest/{}/start", Op::StartTrial),
    ("DELETE", "/ruletest/{}", Op::StopTrial),
    ("GET", "/test/{}", Op::WatchTrial),
    ("GET", "/v2/data/export", Op::ExportYaml),
    ("POST", "/v2/data/import", Op::ImportYaml),
    ("POST", "/async/data/import", Op::ImportAsync),
    ("GET", "/async/task/{}", Op::GetTask),
    ("POST", "/async/task/{}/cancel", Op::CancelTask),
    ("GET", "/metrics", Op::Metrics),
    ("GET", "/metrics/dump", Op::MetricsDump),
    ("GET", "/metrics/dump/check", Op::MetricsDumpCheck),
    ("POST", "/batch/req", Op::Batch),
    ("GET", "/metadata/functions", Op::FunctionsMeta),
    ("GET", "/metadata/operators", Op::OperatorsMeta),
    ("GET", "/metadata/sinks", Op::SinksMeta),
    ("GET", "/metadata/sinks/{}", Op::SinkMeta),
    ("GET", "/metadata/sources", Op::SourcesMeta),
    ("GET", "/metadata/sources/{}", Op::SourceMeta),
    ("GET", "/metadata/sources/yaml/{}", Op::SourceKeys),
    ("PUT", "/metadata/sources/{}/confKeys/{}", Op::PutSourceKey),
    ("DELETE", "/metadata/sources/{}/confKeys/{}", Op::DropSourceKey),
    ("GET", "/metadata/sinks/yaml/{}", Op::SinkKeys),
    ("PUT", "/metadata/sinks/{}/confKeys/{}", Op::PutSinkKey),
    ("DELETE", "/metadata/sinks/{}/confKeys/{}", Op::DropSinkKey),
    ("GET", "/metadata/connections", Op::ConnectionsMeta),
    ("GET", "/metadata/connections/{}", Op::ConnectionMeta),
    ("GET", "/metadata/connections/yaml/{}", Op::ConnectionKeys),
    ("PUT", "/metadata/connections/{}/confKeys/{}", Op::PutConnectionKey),
    ("DELETE", "/metadata/connections/{}/confKeys/{}", Op::DropConnectionKey),
    ("GET", "/metadata/resource", Op::Resource),
    ("GET", "/metadata/resources", Op::Resources),
    ("POST", "/metadata/sources/connection/{}", Op::PingSource),
    ("POST", "/metadata/sinks/connection/{}", Op::PingSink),
    ("POST", "/metadata/lookups/connection/{}", Op::PingLookup),
    ("GET", "/schemas/{}", Op::ListSchemas),
    ("POST", "/schemas/{}", Op::NotSupported),
    ("GET", "/schemas/{}/{}", Op::GetSchema),
    ("PUT", "/schemas/{}/{}", Op::NotSupported),
    ("DELETE", "/schemas/{}/{}", Op::NotSupported),
    ("PUT", "/schemas/{}/{}/upload", Op::NotSupported),
    ("GET", "/plugins/sources", Op::ListNothing),
    ("GET", "/plugins/sinks", Op::ListNothing),
    ("GET", "/plugins/functions", Op::ListNothing),
    ("GET", "/plugins/portables", Op::ListNothing),
    ("GET", "/plugins/udfs", Op::ListNothing),
    ("GET", "/services", Op::ListNothing),
    ("GET", "/services/functions", Op::ListNothing),
    ("GET", "/udf/javascript", Op::ListNothing),
    ("POST", "/plugins/sources", Op::NotSupported),
    ("POST", "/plugins/sinks", Op::NotSupported),
    ("POST", "/plugins/functions", Op::NotSupported),
    ("POST", "/plugins/portables", Op::NotSupported),
    ("POST", "/services", Op::NotSupported),
    ("POST", "/udf/javascript", Op::NotSupported),
    ("GET", "/plugins/{}/{}", Op::NotSupported),
    ("GET", "/plugins/portables/{}/status", Op::NotSupported),
    ("PUT", "/plugins/{}/{}", Op::NotSupported),
    ("DELETE", "/plugins/{}/{}", Op::NotSupported),
    ("POST", "/plugins/functions/{}/register", Op::NotSupported),
    ("GET", "/services/{}", Op::NotSupported),
    ("PUT", "/services/{}", Op::NotSupported),
    ("DELETE", "/services/{}", Op::NotSupported),
    ("GET", "/services/functions/{}", Op::NotSupported),
    ("GET", "/udf/javascript/{}", Op::NotSupported),
    ("PUT", "/udf/javascript/{}", Op::NotSupported),
    ("DELETE", "/udf/javascript/{}", Op::NotSupported),
    ("GET", "/trace/{}", Op::NotSupported),
    ("GET", "/trace/rule/{}", Op::NotSupported),
    ("POST", "/tracer", Op::NotSupported),
];

/// What the table says about a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Find {
    /// The operation and the values of its parameters.
    Route(Op, Vec<String>),
    /// The path has routes, for these methods.
    WrongMethod(String),
    /// No route has that path.
    Nothing,
}

/// Looks a decoded, clean path up.
#[must_use]
pub fn find(method: &str, path: &str) -> Find {
    let mut allow: Vec<&str> = Vec::new();
    for (of, pattern, op) in ROUTES {
        let Some(params) = matches(pattern, path) else { continue };
        if *of == method {
            return Find::Route(*op, params);
        }
        if !allow.contains(of) {
            allow.push(of);
        }
    }
    if allow.is_empty() { Find::Nothing } else { Find::WrongMethod(allow.join(", ")) }
}

fn matches(pattern: &str, path: &str) -> Option<Vec<String>> {
    let mut params = Vec::new();
    let mut segments = path.split('/');
    for part in pattern.split('/') {
        let segment = segments.next()?;
        if part == "{}" {
            if segment.is_empty() {
                return None;
            }
            params.push(segment.to_owned());
        } else if part != segment {
            return None;
        }
    }
    segments.next().is_none().then_some(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_looked_up_in_order() {
        for (method, path, want) in [
            ("GET", "/", Find::Route(Op::Root, vec![])),
            ("GET", "/rules/validate", Find::Route(Op::GetRule, vec!["validate".into()])),
            ("POST", "/rules/validate", Find::Route(Op::Validate, vec![])),
            ("GET", "/rules/status/all", Find::Route(Op::AllStatus, vec![])),
            ("PUT", "/metadata/sources/httppush/confKeys/k", Find::Route(Op::PutSourceKey, vec!["httppush".into(), "k".into()])),
            ("GET", "/streams/", Find::Nothing),
            ("GET", "/Streams", Find::Nothing),
            ("GET", "/stop", Find::WrongMethod("POST".into())),
            ("HEAD", "/ping", Find::WrongMethod("GET".into())),
            ("PATCH", "/streams/x", Find::WrongMethod("GET, DELETE, PUT".into())),
        ] {
            assert_eq!(find(method, path), want, "{method} {path}");
        }
    }

    #[test]
    fn no_row_hides_another() {
        for (i, (method, pattern, _)) in ROUTES.iter().enumerate() {
            assert!(!ROUTES[..i].iter().any(|(m, p, _)| m == method && p == pattern), "{method} {pattern} stands twice");
        }
    }
}
