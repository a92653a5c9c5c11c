//! `pushgate run`: everything put together, in the order in which it starts and ends.
//!
//! 1. Configuration (exit 78), log, state directory (exit 73), descriptors.
//! 2. Engine, data port (closed until a rule needs it), management port (exit 71).
//! 3. Stored definitions, then `init.json`: every rule has started or failed before `READY=1`.
//! 4. SIGTERM: no new connections, requests in flight finish, rings and outboxes drain within `gracefulShutdownTimeout`; what is left
//!    is logged; exit 0.
//!
//! One thread runs data port, rules, sockets of sinks and management HTTP; management commands run one at a time on a worker; files
//! and log lines are written by threads of their own.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smol::future::{self, FutureExt as _};

use super::admin::{Admin, Scrapes, Shared, lock, patrol};
use super::bell::Bell;
use super::front::{Front, Outlet};
use super::host::{Ask, Link, ShellHost};
use super::init::{self, Init};
use super::listen::{self, CLOSE_GRACE, DataPort};
use super::net::{Clock, Deadline, Listener, listen_error};
use super::poller::Tasks;
use super::pools::{self, SCRAPE_COUNT, WRITER_BYTES};
use super::reader;
use super::reload::{InUse, keep as keep_certificates};
use super::signal::{Event, Signals};
use super::store::Store;
use super::tls::{self, ServerTls};
use super::trials::Trials;
use super::writer::Writer;
use super::{log as journal, manage, nofile, notify, resident, settings, sinks, zone};
use crate::catalog::Control;
use crate::config::{Config, paths};
use crate::engine::{Engine, Progress};
use crate::wire::conn::Deadlines;

/// What `run` was asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--state`.
    pub state: Option<PathBuf>,
    /// Called without a verb: with nothing defined, a stream and a rule to try are made, in memory only.
    pub starter: bool,
}

/// sysexits(3): an operating system error, such as an address in use.
const EX_OSERR: u8 = 71;
/// sysexits(3): a file or directory cannot be created.
const EX_CANTCREAT: u8 = 73;
/// sysexits(3): the configuration is wrong.
const EX_CONFIG: u8 = 78;

/// Descriptors besides connections: listeners, sinks, files, the runtime's own.
const SPARE_DESCRIPTORS: u64 = 256;
/// Time that rules may take before the sockets are looked at again: the longest that a reading waits for them, less one slice.
const RULES_PER_ROUND: Duration = Duration::from_millis(1);

/// Runs until told to stop.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    let start_pages = resident::StartPages::list();
    let clock = Clock::start();
    let settings = match settings::read(options.config.as_deref()) {
        Ok(settings) => settings,
        Err(faults) => {
            for fault in faults {
                say(&format!("error: {fault}"));
            }
            return ExitCode::from(EX_CONFIG);
        }
    };
    let (file, config) = (settings.file, settings.config);
    if let Err(error) = journal::start(config.basic.level(), !config.basic.log_disable_timestamp) {
        say(&format!("log: {error}"));
        return ExitCode::from(EX_OSERR);
    }
    for note in &config.notes {
        log::log!(note.level, "{}", note.text);
    }
    let code = serve(options, file.as_deref(), config, clock, &start_pages);
    journal::flush(Duration::from_secs(1));
    ExitCode::from(code)
}

/// A line for whoever started us; without anybody to read it the line is lost.
fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn serve(options: &Options, file: Option<&Path>, mut config: Config, clock: Clock, start_pages: &resident::StartPages) -> u8 {
    let Some(state) = paths::state_dir(options.state.as_deref(), |name| std::env::var(name).ok()) else {
        log::error!("no state directory: neither --state nor STATE_DIRECTORY nor XDG_STATE_HOME nor HOME is set");
        return EX_CANTCREAT;
    };
    let store = match Store::open(&state) {
        Ok(store) => store,
        Err(error) => {
            log::error!("{error}");
            return EX_CANTCREAT;
        }
    };
    if config.source.http_server_tls.is_some() && !tls::BUILT {
        log::error!("source.httpServerTls: this pushgate is built without TLS (cargo feature tls)");
        return EX_CONFIG;
    }
    let management = match management(&config) {
        Ok(management) => management,
        Err((code, error)) => {
            log::error!("{error}");
            return code;
        }
    };
    let scraped = match scraped(&config) {
        Ok(scraped) => scraped,
        Err(error) => {
            log::error!("basic.prometheusPort: {error}");
            return EX_OSERR;
        }
    };
    // A port of 0 was any free one; answers that name the port name this.
    config.basic.rest_port = management.2.port();
    let Some(zone) = zone::load(&config.basic.timezone) else {
        log::error!("basic.timezone: this machine has no time zone {}", config.basic.timezone);
        return EX_CONFIG;
    };
    let limits = fit_descriptors(&config);
    let bill = pools::bill(&limits, &config);
    if let Some(why) = bill.above(limits.memory_budget) {
        log::error!("{why}");
        return EX_CONFIG;
    }
    let inits = init::due(&state, file);
    let tasks = Rc::new(Tasks::default());
    let writer = match Writer::start(WRITER_BYTES) {
        Ok(writer) => Rc::new(writer),
        Err(error) => {
            log::error!("writer thread: {error}");
            return EX_OSERR;
        }
    };
    let work = Rc::new(Bell::default());
    let front = Front::new(Engine::new(limits.clone(), seed()).with_bill(bill), Rc::clone(&work));
    let port = DataPort::start(front, listen::settings(&limits, config.source.deadlines), &limits, clock, &tasks);
    port.set_per_address(usize::try_from(config.source.connections_per_address).unwrap_or(usize::MAX));
    let encrypted = config.basic.rest_tls.is_some() || config.source.http_server_tls.is_some();
    let (link, asks) = Link::new();
    let grace = config.basic.graceful_shutdown_timeout;
    let patrol_interval = config.basic.rule_patrol_interval;
    let conn_count = limits.manage_conn_count;
    let control = Arc::new(Mutex::new(Control::new(ShellHost::new(link.clone(), store, clock, file), config, zone)));
    let stop = Rc::new(Bell::default());
    let trials = Rc::new(Trials::default());
    let code = Rc::new(Cell::new(0));
    let admin = Rc::new(Admin::new(Arc::clone(&control), Rc::clone(&stop), Rc::clone(&code), Rc::clone(&trials)));

    let (listener, tls, address) = management;
    let used = InUse { data: port.clone(), management: Rc::new(RefCell::new(tls)) };
    tasks.spawn(answer_asks(link, asks, used.clone(), clock, Rc::clone(&tasks), Rc::clone(&writer), trials)).detach();
    tasks.spawn(take_turns(port.clone(), work, clock, Rc::clone(&tasks))).detach();

    tasks.run(async {
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => {
                log::error!("signals: {error}");
                return EX_OSERR;
            }
        };
        boot(options, inits, &control, &port).await;
        for line in port.with_gate(|front| front.engine.bill()).lines() {
            log::info!("memory: {line}");
        }
        log::info!("listen management {address}");
        let settings = manage::settings(&limits, Deadlines::default());
        tasks
            .spawn(manage::serve(listener, Rc::clone(&used.management), Rc::clone(&admin), settings, conn_count, clock, Rc::clone(&tasks)))
            .detach();
        if let Some((listener, address)) = scraped {
            log::info!("listen metrics {address}");
            let settings = manage::settings(&limits, Deadlines::default());
            let scrapes = Rc::new(Scrapes::new(Arc::clone(&control)));
            let tls = Rc::clone(&used.management);
            tasks.spawn(manage::serve(listener, tls, scrapes, settings, SCRAPE_COUNT, clock, Rc::clone(&tasks))).detach();
        }
        tasks.spawn(patrol(Arc::clone(&control), patrol_interval)).detach();
        tasks.spawn(pat_the_dog()).detach();
        let hup = Rc::new(Bell::default());
        if encrypted {
            tasks.spawn(keep_certificates(used.clone(), Rc::clone(&hup), clock)).detach();
        }
        notify::ready("running");
        start_pages.drop_resident();
        loop {
            let stop = async {
                stop.heard().await;
                Ok(Event::Stop)
            };
            match signals.next().or(stop).await {
                Ok(Event::Stop) => break,
                Ok(Event::Reload) => {
                    hup.ring();
                    reload(options, &control).await;
                }
                Err(error) => {
                    log::error!("signals: {error}");
                    break;
                }
            }
        }
        notify::stopping("stopping");
        wind_down(&port, clock, grace).await;
        if !writer.finish(Duration::from_secs(1)) {
            log::warn!("the writer thread did not finish: what it still held is not on disk");
        }
        code.get()
    })
}

type Management = (Listener, Option<ServerTls>, std::net::SocketAddr);

/// Where metrics have a port of their own: on the address of the management port, encrypted as it is.
fn scraped(config: &Config) -> Result<Option<(Listener, std::net::SocketAddr)>, String> {
    let basic = &config.basic;
    if !basic.prometheus || (basic.prometheus_port == basic.rest_port && basic.rest_port != 0) {
        return Ok(None);
    }
    let addr = std::net::SocketAddr::new(config.rest_listen().ip(), basic.prometheus_port);
    let listener = Listener::bind(addr).map_err(|error| listen_error(&addr.to_string(), &error))?;
    let addr = listener.addr().unwrap_or(addr);
    Ok(Some((listener, addr)))
}

fn management(config: &Config) -> Result<Management, (u8, String)> {
    let addr = config.rest_listen();
    let tls = match &config.basic.rest_tls {
        None => None,
        Some(files) => match ServerTls::load(files) {
            Ok(tls) => Some(tls),
            Err(error) => return Err((EX_CONFIG, format!("basic.restTls: {error}"))),
        },
    };
    let listener = Listener::bind(addr).map_err(|error| (EX_OSERR, listen_error(&addr.to_string(), &error)))?;
    let addr = listener.addr().unwrap_or(addr);
    Ok((listener, tls, addr))
}

/// As many connections as the descriptor limit allows, once it was raised to the need.
fn fit_descriptors(config: &Config) -> crate::limits::Limits {
    let mut limits = config.limits.clone();
    let needed = limits.conn_count as u64 + SPARE_DESCRIPTORS;
    if let Some(allowed) = nofile::raise(needed)
        && allowed < needed
    {
        let count = usize::try_from(allowed.saturating_sub(SPARE_DESCRIPTORS)).unwrap_or(usize::MAX).max(8);
        log::warn!("{allowed} descriptors are allowed: connections of the data port are lowered from {} to {count}", limits.conn_count);
        limits.conn_count = count;
    }
    limits
}

fn seed() -> u64 {
    let mut bytes = [0; 8];
    // Without entropy the address of a local still differs from run to run; nothing secret depends on it.
    if getrandom::fill(&mut bytes).is_err() {
        return std::process::id().into();
    }
    u64::from_le_bytes(bytes)
}

/// Starts what is stored and what `init.json` brings, and the starter when asked for and nothing is defined.
async fn boot(options: &Options, inits: Vec<Init>, control: &Shared<ShellHost>, port: &DataPort<Front>) {
    let starter = options.starter;
    let control = Arc::clone(control);
    let started = smol::unblock(move || {
        let mut control = lock(&control);
        let (rulesets, unread): (Vec<_>, Vec<_>) = inits.iter().map(|init| init.ruleset.clone()).partition(Result::is_ok);
        let rulesets: Vec<_> = rulesets.into_iter().flatten().collect();
        let mut faults: Vec<String> = unread.into_iter().filter_map(Result::err).collect();
        faults.extend(control.boot(&rulesets));
        faults.extend(inits.iter().filter_map(|init| init.done().err()));
        for fault in faults {
            log::error!("{fault}");
        }
        starter && control.is_empty() && start_the_starter(&mut control)
    })
    .await;
    if started && let Some(addr) = port.addr() {
        say(&format!("try it: curl -d '{{\"temperature\": 51}}' http://127.0.0.1:{}/api/data", addr.port()));
    }
}

const STARTER_STREAM: &str = r#"CREATE STREAM demo () WITH (DATASOURCE="/api/data", FORMAT="json", TYPE="httppush", TEMP="true")"#;
const STARTER_RULE: &str =
    r#"{"id":"hot","sql":"SELECT * FROM demo WHERE temperature > 50","actions":[{"log":{}}],"temp":true,"triggered":true}"#;

fn start_the_starter(control: &mut Control<ShellHost>) -> bool {
    let stream = control.run_ddl(STARTER_STREAM).map(|_| ()).map_err(|fault| fault.to_string());
    let rule = stream.and_then(|()| control.create_rule("hot", STARTER_RULE).map(|_| ()).map_err(|fault| fault.to_string()));
    if let Err(error) = &rule {
        log::error!("starter: {error}");
    }
    rule.is_ok()
}

/// SIGHUP: conf keys of files and the secrets of all credentials are read again. Nothing that is running is touched; what cannot be
/// used leaves the old one in force, and says so.
async fn reload(options: &Options, control: &Shared<ShellHost>) {
    let control = Arc::clone(control);
    let config = options.config.clone();
    smol::unblock(move || match settings::read(config.as_deref()) {
        Err(faults) => {
            for fault in faults {
                log::error!("reload: {fault}");
            }
            log::error!("reload: the configuration has errors, everything stays as it was");
        }
        Ok(newer) => {
            for broken in newer.config.broken_conf_keys() {
                log::error!("reload: {broken}");
            }
            let reloaded = lock(&control).reload(&newer.config);
            for fault in &reloaded.faults {
                log::error!("reload: {fault}");
            }
            log::info!("reload: credentials of {} open streams are read again", reloaded.count);
        }
    })
    .await;
}

/// What the worker asks of the data thread.
async fn answer_asks(
    link: Link,
    asks: smol::channel::Receiver<Ask>,
    used: InUse,
    clock: Clock,
    tasks: Rc<Tasks>,
    writer: Rc<Writer>,
    trials: Rc<Trials>,
) {
    let port = used.data.clone();
    let body_bytes = port.with_gate(|front| front.engine.limits().body_bytes);
    while let Ok(ask) = asks.recv().await {
        match ask {
            Ask::Engine(f) => {
                let (wire, conns) = port.counters();
                let open = i64::try_from(port.open_count()).unwrap_or(i64::MAX);
                let now = clock.now();
                let counted = wire.all().chain(conns.all()).map(|(name, n)| (name, i64::try_from(n).unwrap_or(i64::MAX)));
                let counted = counted.chain([("connections", open)]).chain(used.expiries(now.wall));
                let (new, jobs) = port.with_gate(|front| {
                    front.engine.note_port(counted);
                    f(&mut front.engine, now);
                    front.work.ring();
                    (front.new_sinks(), front.engine.take_jobs())
                });
                for job in jobs {
                    reader::start(job, link.clone(), body_bytes);
                }
                for (id, bell) in new {
                    let (outlet, writer) = (Outlet { port: port.clone(), id, bell, clock }, Rc::clone(&writer));
                    let trials = Rc::clone(&trials);
                    tasks.spawn(async move { sinks::run(outlet, &writer, &trials).await }).detach();
                }
            }
            Ask::Listen(at, tls, back) => {
                let result = match port.addr() {
                    Some(_) => Ok(()),
                    None => match port.listen(at.addr, tls) {
                        Ok(addr) => {
                            log::info!("listen data {addr}");
                            Ok(())
                        }
                        Err(error) => Err(listen_error(&at.addr.to_string(), &error)),
                    },
                };
                let _ = back.send(result); // the worker waits for it
            }
            Ask::TrialEnded(id) => trials.close(&id),
            Ask::Unlisten => {
                if port.addr().is_some() {
                    port.close(CLOSE_GRACE);
                    log::info!("data port closed: no running rule needs it");
                }
            }
        }
    }
}

/// Gives each rule its slices; between two of them readings are taken.
async fn take_turns(port: DataPort<Front>, bell: Rc<Bell>, clock: Clock, tasks: Rc<Tasks>) {
    let mut due = Deadline::never();
    let mut round_end = clock.mono().after(RULES_PER_ROUND);
    loop {
        let (progress, settled) = port.with_gate(|front| {
            let progress = front.engine.step(clock.now());
            front.wake_sinks();
            (progress, front.engine.take_settled())
        });
        if settled {
            port.wake_held();
        }
        match progress {
            // What the sockets brought in this round is answered in between; what they brought since waits until its end.
            Progress::More if clock.mono() < round_end => {
                future::yield_now().await;
                continue;
            }
            Progress::More => tasks.give_way().await,
            Progress::Idle(None) => bell.heard().await,
            Progress::Idle(Some(at)) => {
                clock.rearm(&mut due, at);
                // A moment that has passed must not keep the other tasks from theirs.
                future::yield_now().await;
                bell.heard().or(due.wait()).await;
            }
        }
        round_end = clock.mono().after(RULES_PER_ROUND);
    }
}

/// Tells the service manager that the data thread turns.
async fn pat_the_dog() {
    let Some(every) = notify::watchdog_interval() else { return };
    loop {
        notify::watchdog();
        Deadline::after(every).wait().await;
    }
}

/// Ends: no new connections, requests in flight, rings and outboxes.
async fn wind_down(port: &DataPort<Front>, clock: Clock, grace: Duration) {
    let end = clock.mono().after(grace);
    port.close(CLOSE_GRACE);
    port.with_gate(|front| front.engine.end_readings());
    port.idle().or(async { clock.deadline(end).wait().await }).await;
    loop {
        let left = port.with_gate(|front| {
            front.work.ring();
            let queued = front.engine.undelivered().any(|(_, queued, _)| queued > 0);
            // Batches leave once no further row can join them.
            let gathered = queued || !front.engine.flush(clock.now());
            front.wake_all_sinks();
            gathered || front.engine.undelivered().any(|(_, _, waiting)| waiting > 0)
        });
        if !left || clock.mono() >= end {
            break;
        }
        Deadline::after(Duration::from_millis(20)).wait().await;
    }
    port.with_gate(|front| {
        for (rule, queued, waiting) in front.engine.undelivered() {
            if queued + waiting > 0 {
                log::warn!(
                    "rule {rule}: {queued} readings in its queue and {waiting} payloads of its sinks were accepted and not delivered"
                );
            }
        }
    });
    log::info!("stopped");
}
