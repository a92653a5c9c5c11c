//! What fits nowhere else (eKuiper: other functions).

use super::{Arg, Args, Func};

const NONE: Args = Args::exact(&[]);
const ONE: Args = Args::exact(&[Arg::Any]);

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[
    Func::scalar("isnull", ONE, "boolean", "Whether the argument is nil.", "isnull(\"\")", "false").takes_nil(),
    Func::scalar("coalesce", Args::many(1, &[Arg::Any]), "any", "The first argument that is not nil.", "coalesce(\"a\", \"b\")", "\"a\"").takes_nil(),
    Func::scalar("newuuid", NONE, "string", "A new UUID of version 1.", "newuuid()", "").takes_nil(),
    Func::scalar(
        "meta",
        Args::exact(&[Arg::Meta]),
        "any",
        "An arrival fact: method, path, query, remote, arrived, seq, credential, clock, header, or a parameter of the path template; `*` is all of them.",
        "meta(path)",
        "",
    )
    .takes_nil(),
    Func::scalar("mqtt", Args::exact(&[Arg::Meta]), "any", "An arrival fact of a message: topic or messageid.", "mqtt(topic)", ""),
    Func::scalar("rule_id", NONE, "string", "Id of the rule.", "rule_id()", "").takes_nil(),
    Func::scalar("rule_start", NONE, "int", "When the rule was started, in milliseconds since 1970.", "rule_start()", "").takes_nil(),
    Func::scalar("event_time", NONE, "int", "Time of the event, in milliseconds since 1970; in a window when it was triggered.", "event_time()", "").takes_nil(),
    Func::scalar("last_hit_count", NONE, "int", "How often the rule's condition held before this event.", "last_hit_count()", "").takes_nil(),
    Func::scalar("last_hit_time", NONE, "int", "Event time when the rule's condition held last; 0 before the first time.", "last_hit_time()", "").takes_nil(),
    Func::scalar(
        "delay",
        Args::exact(&[Arg::Number, Arg::Any]),
        "any",
        "The second argument; the rule pauses for so many milliseconds behind this event.",
        "delay(1, \"x\")",
        "\"x\"",
    ),
    Func::scalar(
        "get_keyed_state",
        Args::exact(&[Arg::Any, Arg::String, Arg::Any]),
        "any",
        "The value stored under a key, as the named type; the third argument, as nothing is stored.",
        "get_keyed_state(\"k\", \"bigint\", 7)",
        "7",
    )
    .takes_nil(),
    Func::scalar("props", Args::exact(&[Arg::String]), "any", "A property of the installation; there are none here, so any name is an error.", "props(\"x\")", ""),
    Func::scalar("bypass", Args::many(1, &[Arg::Any]), "any", "Its first argument.", "bypass(\"x\")", "\"x\"").takes_nil(),
];
