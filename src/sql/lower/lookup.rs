//! Joins with lookup tables: what of ON is looked up, and what is a condition (facts §7.5).
//!
//! In: a join and the column that identifies the table's rows. Out: a [`Join`] with its [`Probe`]. Equalities joined by AND are looked
//! up where one side is a column of the table, named with it; of the rest, equalities belong to the join, anything else to WHERE, as
//! in eKuiper, also with LEFT JOIN.

use super::{Lowerer, Stage, and};
use crate::sql::ast::{self, BinaryOp, ExprKind};
use crate::sql::bind::Target;
use crate::sql::error::SqlError;
use crate::sql::explain::Texts;
use crate::sql::plan::{Join, JoinKind, Probe};

impl<'s> Lowerer<'s> {
    /// A join with the lookup table `source`.
    pub(super) fn lookup_join(&mut self, join: &'s ast::Join, source: usize, key: &str) -> Result<Join, SqlError> {
        let (mut pairs, mut names): (Vec<_>, Vec<&str>) = Default::default();
        let (mut on, mut found) = (None, None);
        for part in join.on.iter().flat_map(conjuncts) {
            let sides = equality(part);
            let side = sides.and_then(|(left, right)| {
                let (l, r) = (self.column_of(left), self.column_of(right));
                match (l, r) {
                    (Some((a, _)), Some((b, _))) if a == b => None,
                    (Some((a, name)), _) if a == source => Some((name, right)),
                    (_, Some((b, name))) if b == source => Some((name, left)),
                    _ => None,
                }
            });
            match (side, sides) {
                (Some((name, _)), _) if names.contains(&name) => return Err(self.no_equality(join)),
                (Some((name, value)), _) => {
                    names.push(name);
                    if name == key {
                        found = Some(pairs.len());
                    }
                    let value = self.expr(value)?;
                    pairs.push((value, self.column(source, name)));
                }
                (None, Some(_)) => {
                    let condition = self.expr(part)?;
                    and(&mut on, condition);
                }
                (None, None) => {
                    let before = core::mem::replace(&mut self.stage, Stage::Filter);
                    let condition = self.expr(part)?;
                    self.stage = before;
                    and(&mut self.plan.filter, condition);
                }
            }
        }
        if pairs.is_empty() {
            return Err(self.no_equality(join));
        }
        let kind = if join.kind == ast::JoinKind::Left { JoinKind::Left } else { JoinKind::Inner };
        Ok(Join { kind, on, probe: Some(Probe { pairs, key: found }), right_first: false })
    }

    /// The source and name of a column that is written with its source.
    fn column_of<'e>(&self, expr: &'e ast::Expr) -> Option<(usize, &'e str)> {
        let ExprKind::Column(column) = &expr.kind else { return None };
        match self.bound.column(column, expr.span) {
            (name, Target::Source(source), None) if column.stream.is_some() => Some((source, name)),
            _ => None,
        }
    }

    fn no_equality(&self, join: &ast::Join) -> SqlError {
        let texts = Texts::of(self.bound);
        let shown = join.on.as_ref().map_or_else(|| "%!s(<nil>)".to_owned(), |on| texts.expr(on));
        SqlError::new(format!("join condition {shown} is invalid, at least one equi-join predicate is required"))
    }
}

/// The conditions that AND joins, in order.
pub(in crate::sql) fn conjuncts(expr: &ast::Expr) -> Vec<&ast::Expr> {
    match &expr.kind {
        ExprKind::Binary { op: BinaryOp::And, left, right } => [conjuncts(left), conjuncts(right)].concat(),
        _ => vec![expr],
    }
}

pub(in crate::sql) fn equality(expr: &ast::Expr) -> Option<(&ast::Expr, &ast::Expr)> {
    match &expr.kind {
        ExprKind::Binary { op: BinaryOp::Eq, left, right } => Some((left, right)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::lower::lower;
    use crate::sql::parse;
    use crate::sql::plan::{JoinKind, Plan, Source};

    fn plan(on: &str) -> Result<Plan, String> {
        let select = parse::select(&format!("SELECT * FROM s {on}")).unwrap_or_else(|e| panic!("{e}"));
        let source = |name: &str, lookup: Option<&str>| Source {
            name: name.to_owned(),
            alias: name.to_owned(),
            table: lookup.is_some(),
            lookup: lookup.map(str::to_owned),
            columns: None,
        };
        lower(&select, vec![source("s", None), source("t", Some("id"))], true, &|_| None).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_looked_up() {
        for (on, kind, pairs, key, rest, filter) in [
            ("INNER JOIN t ON s.id = t.id", JoinKind::Inner, 1, Some(0), false, false),
            ("LEFT JOIN t ON t.id = s.a + 1", JoinKind::Left, 1, Some(0), false, false),
            ("RIGHT JOIN t ON s.id = t.id", JoinKind::Inner, 1, Some(0), false, false),
            ("INNER JOIN t ON s.n = t.n AND t.id = s.id", JoinKind::Inner, 2, Some(1), false, false),
            ("INNER JOIN t ON s.n = t.n", JoinKind::Inner, 1, None, false, false),
            ("LEFT JOIN t ON s.id = t.id AND t.x > 5 AND s.y < 1", JoinKind::Left, 1, Some(0), false, true),
            ("LEFT JOIN t ON s.id = t.id AND s.v = 1", JoinKind::Left, 1, Some(0), true, false),
            ("INNER JOIN t ON t.id = 5 WHERE t.x > 1", JoinKind::Inner, 1, Some(0), false, true),
        ] {
            let plan = plan(on).unwrap_or_else(|e| panic!("{on}: {e}"));
            let join = &plan.joins[0];
            let probe = join.probe.as_ref().expect("a lookup");
            assert_eq!((join.kind, probe.pairs.len(), probe.key), (kind, pairs, key), "{on}");
            assert_eq!((join.on.is_some(), plan.filter.is_some()), (rest, filter), "{on}");
        }
    }

    #[test]
    fn an_equality_is_required() {
        for (on, words) in [
            ("CROSS JOIN t", "%!s(<nil>)"),
            ("INNER JOIN t ON s.v > t.x", "binaryExpr:{ s.v > t.x }"),
            ("INNER JOIN t ON s.id = t.id OR s.v = 1", "binaryExpr:{ binaryExpr:{ s.id = t.id } OR binaryExpr:{ s.v = 1 } }"),
            ("INNER JOIN t ON s.id = s.v", "binaryExpr:{ s.id = s.v }"),
            ("INNER JOIN t ON s.id = t.id AND s.v = t.id", "binaryExpr:{ binaryExpr:{ s.id = t.id } AND binaryExpr:{ s.v = t.id } }"),
        ] {
            let want = format!("join condition {words} is invalid, at least one equi-join predicate is required");
            assert!(plan(on).is_err_and(|e| e.contains(&want)), "{on}: {:?}", plan(on).map(drop));
        }
    }
}
