//! What is asked of xenstored, and in which order.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use proto::id::{DomId, DomainUuid};
use xenstore_client::Xenstore;

use super::token_node::{Put, clear_ended, put_token};

const TOKEN: &str = "/local/domain/7/tessera/token";
const VM: &str = "/local/domain/7/vm";

fn uuid(number: u8) -> DomainUuid {
    DomainUuid::from_bytes([number; 16])
}

/// Values and permissions by paths.
type Nodes = BTreeMap<String, (String, String)>;

/// A daemon that keeps what it is told, notes changes, and does something of its own when a token
/// was written.
#[derive(Default)]
struct Tree {
    nodes: Nodes,
    changes: Vec<String>,
    on_write: Option<fn(&mut Nodes)>,
}

/// `n0 r7`, which the toolstack gives a domain's node, is what nodes below it get.
const OF_DOMAIN: &str = "n0 r7";

impl Tree {
    /// Domain 7 lives, with these nodes besides.
    fn with(more: &[(&str, &str, &str)]) -> Self {
        let vm = format!("/vm/{}", uuid(1));
        let base = [("/local/domain/7", "", OF_DOMAIN), (VM, &vm, OF_DOMAIN)];
        let all = base.iter().chain(more);
        let node = |(path, value, who): &(&str, &str, &str)| {
            ((*path).to_owned(), ((*value).to_owned(), (*who).to_owned()))
        };
        Self {
            nodes: all.map(node).collect(),
            ..Self::default()
        }
    }

    fn answer(&mut self, kind: u32, texts: &[&str]) -> Option<String> {
        let path = texts[0];
        let rest = texts[1..].join(" ");
        match kind {
            1 => {
                self.nodes.get(path)?;
                let below = format!("{path}/");
                let children = self.nodes.keys().filter_map(|key| key.strip_prefix(&below));
                let children = children.filter(|child| !child.contains('/'));
                Some(children.map(|child| format!("{child}\0")).collect())
            }
            2 => self.nodes.get(path).map(|(value, _)| value.clone()),
            3 => {
                let (_, who) = self.nodes.get(path)?;
                Some(who.split(' ').map(|one| format!("{one}\0")).collect())
            }
            11 => {
                self.changes.push(format!("write {path}"));
                self.node(path).0 = rest;
                if let Some(on_write) = self.on_write {
                    on_write(&mut self.nodes);
                }
                Some("OK\0".to_owned())
            }
            12 => {
                self.changes.push(format!("make {path}"));
                self.node(path);
                Some("OK\0".to_owned())
            }
            13 => {
                self.changes.push(format!("remove {path}"));
                let below = format!("{path}/");
                self.nodes
                    .retain(|key, _| key != path && !key.starts_with(&below));
                Some("OK\0".to_owned())
            }
            14 => {
                self.changes.push(format!("{path} for {rest}"));
                self.nodes.get_mut(path)?.1 = rest;
                Some("OK\0".to_owned())
            }
            other => panic!("a request of type {other}"),
        }
    }

    fn node(&mut self, path: &str) -> &mut (String, String) {
        let who = OF_DOMAIN.to_owned();
        let new = || (String::new(), who);
        self.nodes.entry(path.to_owned()).or_insert_with(new)
    }
}

fn serve(mut stream: UnixStream, tree: &Mutex<Tree>) -> io::Result<()> {
    loop {
        let mut header = [[0; 4]; 4];
        stream.read_exact(header.as_flattened_mut())?;
        let [kind, request, _, length] = header.map(u32::from_ne_bytes);
        let mut payload = vec![0; length.try_into().expect("64 bits")];
        stream.read_exact(&mut payload)?;
        let payload = String::from_utf8(payload).expect("text");
        let texts: Vec<&str> = payload.split_terminator('\0').collect();
        let answer = tree.lock().expect("no panic").answer(kind, &texts);
        let (kind, answer) = match answer {
            Some(answer) => (kind, answer),
            None => (16, "ENOENT\0".to_owned()),
        };
        let length = u32::try_from(answer.len()).expect("short");
        let header = [kind, request, 0, length].map(u32::to_ne_bytes);
        stream.write_all(&[header.as_flattened(), answer.as_bytes()].concat())?;
    }
}

struct Daemon {
    tree: Arc<Mutex<Tree>>,
    store: Xenstore,
    _dir: tempfile::TempDir,
}

impl Daemon {
    async fn start(tree: Tree) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let socket = dir.path().join("socket");
        let listener = UnixListener::bind(&socket).expect("free");
        let tree = Arc::new(Mutex::new(tree));
        let of_thread = Arc::clone(&tree);
        thread::spawn(move || {
            let (stream, _) = listener.accept().expect("somebody connects");
            // It ends with the connection.
            let _ = serve(stream, &of_thread);
        });
        let store = Xenstore::connect_to(Path::new(&socket)).await;
        Self {
            tree,
            store: store.expect("it listens"),
            _dir: dir,
        }
    }

    async fn put(&self, token: Option<&str>) -> Put {
        let put = put_token(&self.store, DomId(7), uuid(1), token).await;
        put.expect("answered")
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().expect("no panic")
    }

    fn token(&self) -> Option<(String, String)> {
        self.tree().nodes.get(TOKEN).cloned()
    }
}

fn node(value: &str) -> Option<(String, String)> {
    Some((value.to_owned(), OF_DOMAIN.to_owned()))
}

#[tokio::test]
async fn a_node_is_made_empty_then_given_away_then_written() {
    for stale in [
        &[][..],
        &[(TOKEN, "stale", "b7")],
        &[(TOKEN, "next", "n7")],
        &[(TOKEN, "next", "n0 r7 r8")],
    ] {
        let daemon = Daemon::start(Tree::with(stale)).await;
        assert_eq!(daemon.put(Some("next")).await, Put::Done);
        assert_eq!(daemon.token(), node("next"));
        let folder = "/local/domain/7/tessera";
        let expected = [
            format!("remove {TOKEN}"),
            format!("make {folder}"),
            format!("{folder} for n0 r7"),
            format!("make {TOKEN}"),
            format!("{TOKEN} for n0 r7"),
            format!("write {TOKEN}"),
        ];
        assert_eq!(daemon.tree().changes, expected);
    }
}

#[tokio::test]
async fn a_node_that_is_right_is_written_in_one_step_or_left_alone() {
    let daemon = Daemon::start(Tree::with(&[(TOKEN, "former", OF_DOMAIN)])).await;
    assert_eq!(daemon.put(Some("next")).await, Put::Done);
    assert_eq!(daemon.put(Some("next")).await, Put::AsItWas);
    assert_eq!(daemon.tree().changes, [format!("write {TOKEN}")]);
    assert_eq!(daemon.put(None).await, Put::Done);
    assert_eq!(daemon.token(), None);
    assert_eq!(daemon.put(None).await, Put::AsItWas);
    assert_eq!(daemon.tree().changes.len(), 2);
}

#[tokio::test]
async fn a_domain_that_is_gone_gets_nothing_and_comes_back_by_nothing() {
    let daemon = Daemon::start(Tree::default()).await;
    for token in [Some("next"), None] {
        assert_eq!(daemon.put(token).await, Put::DomainGone);
    }
    assert_eq!(daemon.tree().changes, [""; 0]);

    // It ends while its token is written.
    let mut tree = Tree::with(&[]);
    tree.on_write = Some(|nodes| drop(nodes.remove(VM)));
    let daemon = Daemon::start(tree).await;
    assert_eq!(daemon.put(Some("next")).await, Put::DomainGone);
    assert!(daemon.tree().nodes.is_empty(), "{:?}", daemon.tree().nodes);
}

#[tokio::test]
async fn who_has_the_domid_next_keeps_its_nodes_and_not_the_token() {
    let mut tree = Tree::with(&[]);
    tree.on_write = Some(|nodes| {
        let vm = nodes.get_mut(VM).expect("there");
        vm.0 = format!("/vm/{}", uuid(2));
    });
    let daemon = Daemon::start(tree).await;
    assert_eq!(daemon.put(Some("next")).await, Put::DomainGone);
    assert_eq!(daemon.token(), None);
    assert!(daemon.tree().nodes.contains_key(VM));
}

#[tokio::test]
async fn what_ended_domains_have_left_goes_and_nothing_else_does() {
    let vm = format!("/vm/{}", uuid(3));
    let tree = Tree::with(&[
        (TOKEN, "lives", OF_DOMAIN),
        ("/local/domain", "", "n0"),
        ("/local/domain/0", "", "n0"),
        ("/local/domain/0/tessera", "dom0's", "n0"),
        // Ended; ended, with something of somebody else; about to begin; no domain.
        ("/local/domain/5", "", "n0 r5"),
        ("/local/domain/5/tessera", "", "n0 r5"),
        ("/local/domain/5/tessera/token", "stale", "n0 r5"),
        ("/local/domain/6", "", "n0 r6"),
        ("/local/domain/6/device", "", "n0 r6"),
        ("/local/domain/6/tessera", "", "n0 r6"),
        ("/local/domain/6/tessera/token", "stale", "n0 r6"),
        ("/local/domain/8", "", "n0 r8"),
        ("/local/domain/8/vm", &vm, "n0 r8"),
        ("/local/domain/8/tessera", "", "n0 r8"),
        ("/local/domain/08", "", "n0"),
        ("/local/domain/08/tessera", "", "n0"),
    ]);
    let before: Vec<String> = tree.nodes.keys().cloned().collect();
    let daemon = Daemon::start(tree).await;
    let living = BTreeMap::from([(DomId(7), uuid(1))]);
    let cleared = clear_ended(&daemon.store, &living).await;
    assert_eq!(cleared.expect("answered"), 2);
    let is_left = |path: &String| {
        !path.starts_with("/local/domain/5") && !path.starts_with("/local/domain/6/tessera")
    };
    let expected: Vec<String> = before.into_iter().filter(is_left).collect();
    let left: Vec<String> = daemon.tree().nodes.keys().cloned().collect();
    assert_eq!(left, expected);
    let cleared = clear_ended(&daemon.store, &living).await;
    assert_eq!(cleared.expect("answered"), 0);
}
