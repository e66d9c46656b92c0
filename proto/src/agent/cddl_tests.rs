//! Holds every message against the published grammar, `docs/protocol.cddl`.
//!
//! The grammar is read by a parser of the part of CDDL that it is written in; another part of CDDL
//! in that file fails the tests.

use std::collections::{BTreeMap, BTreeSet};

use super::samples::{self, Sender, receive};
use super::value::{Map, Value};
use super::{MessageError, RefusalCode};

const GRAMMAR: &str = include_str!("../../../docs/protocol.cddl");

/// The rules of the grammar by name.
struct Grammar(BTreeMap<String, Type>);

/// What stands on the right of a rule or behind a key.
#[derive(Clone, PartialEq)]
enum Type {
    Choice(Vec<Self>),
    Literal(String),
    Rule(String),
    /// `tstr`, `bstr`, `uint` or `bool`, with the inclusive limits of `.size`.
    Plain(String, Option<(u64, u64)>),
    Array {
        max: u64,
        element: Box<Self>,
    },
    Map(Vec<Member>),
}

/// One named key of a map.
#[derive(Clone, PartialEq)]
struct Member {
    key: String,
    optional: bool,
    value: Type,
}

impl Grammar {
    fn published() -> Self {
        let mut parser = Parser::new(GRAMMAR);
        let mut rules = BTreeMap::new();
        while let Some(name) = parser.next() {
            parser.expect("=");
            let twice = rules.insert(name.clone(), parser.choice());
            assert!(twice.is_none(), "rule {name} twice");
        }
        Self(rules)
    }

    fn rule(&self, name: &str) -> &Type {
        let rule = self.0.get(name);
        rule.unwrap_or_else(|| panic!("no rule {name}"))
    }

    /// Whether `value` is what `expected` says; unknown keys of maps are not looked at.
    fn matches(&self, expected: &Type, value: &Value<'_>) -> bool {
        match (expected, value) {
            (Type::Choice(types), _) => types.iter().any(|one| self.matches(one, value)),
            (Type::Rule(name), _) => self.matches(self.rule(name), value),
            (Type::Literal(literal), Value::Text(text)) => literal == text,
            (Type::Plain(kind, size), _) => plain_matches(kind, *size, value),
            (Type::Array { max, element }, Value::Array(values)) => {
                values.len() as u64 <= *max
                    && values.iter().all(|value| self.matches(element, value))
            }
            (Type::Map(members), Value::Map(map)) => members.iter().all(|member| {
                let value = map.get(&member.key);
                value.map_or(member.optional, |value| self.matches(&member.value, value))
            }),
            _ => false,
        }
    }

    /// The map among the messages of `sender` whose `type` is that of `message`.
    fn members_of(&self, sender: Sender, message: &Map<'_>) -> &[Member] {
        let Type::Choice(messages) = self.rule(rule_of(sender)) else {
            panic!("a choice of messages");
        };
        let kind = Type::Literal(text(message.get("type")));
        let maps = messages.iter().map(|message| match message {
            Type::Rule(name) => match self.rule(name) {
                Type::Map(members) => members.as_slice(),
                _ => panic!("{name} is not a map"),
            },
            _ => panic!("a message is not a rule"),
        });
        let mut of_kind = maps.filter(|members| {
            let first = members.first().expect("no empty map");
            first.key == "type" && first.value == kind
        });
        let members = of_kind.next().expect("the kind is in the grammar");
        assert!(of_kind.next().is_none(), "a kind twice in the grammar");
        members
    }

    /// The kinds of messages that `sender` has.
    fn kinds(&self, sender: Sender) -> BTreeSet<String> {
        let Type::Choice(messages) = self.rule(rule_of(sender)) else {
            panic!("a choice of messages");
        };
        let kind = |message: &Type| match message {
            Type::Rule(name) => match self.rule(name) {
                Type::Map(members) => match members.first().map(|member| &member.value) {
                    Some(Type::Literal(kind)) => kind.clone(),
                    _ => panic!("{name} has no type"),
                },
                _ => panic!("{name} is not a map"),
            },
            _ => panic!("a message is not a rule"),
        };
        messages.iter().map(kind).collect()
    }
}

const fn rule_of(sender: Sender) -> &'static str {
    match sender {
        Sender::Agent => "from-agent",
        Sender::Dom0 => "from-dom0",
    }
}

fn text(value: Option<&Value<'_>>) -> String {
    match value {
        Some(Value::Text(text)) => text.to_string(),
        other => panic!("not text: {other:?}"),
    }
}

fn plain_matches(kind: &str, size: Option<(u64, u64)>, value: &Value<'_>) -> bool {
    let (low, high) = size.unwrap_or((0, u64::MAX));
    let sized = |length: usize| (low..=high).contains(&(length as u64));
    match (kind, value) {
        ("bool", Value::Bool(_)) => true,
        ("tstr", Value::Text(text)) => sized(text.len()),
        ("bstr", Value::Bytes(bytes)) => sized(bytes.len()),
        // RFC 8610 §3.8.1: the number fits into that many bytes.
        ("uint", Value::Unsigned(number)) => high >= 8 || number >> (8 * high) == 0,
        _ => false,
    }
}

/// The words of the grammar, one after the other.
struct Parser {
    words: std::iter::Peekable<std::vec::IntoIter<String>>,
}

impl Parser {
    fn new(grammar: &str) -> Self {
        let mut words = Vec::new();
        for line in grammar.lines() {
            let (code, _comment) = line.split_once(';').unwrap_or((line, ""));
            let spaced = code.replace("=>", " ARROW ");
            let mut spaced = ["{", "}", "[", "]", "(", ")", ",", "/", "=", "?"]
                .iter()
                .fold(spaced, |code, mark| {
                    code.replace(mark, &format!(" {mark} "))
                });
            spaced = spaced.replace(": ", " : ");
            words.extend(spaced.split_whitespace().map(str::to_owned));
        }
        Self {
            words: words.into_iter().peekable(),
        }
    }

    fn next(&mut self) -> Option<String> {
        self.words.next()
    }

    fn word(&mut self) -> String {
        self.next().expect("the grammar ends inside a rule")
    }

    fn expect(&mut self, expected: &str) {
        assert_eq!(self.word(), expected);
    }

    fn takes(&mut self, word: &str) -> bool {
        self.words.next_if(|next| next == word).is_some()
    }

    fn choice(&mut self) -> Type {
        let mut types = vec![self.one()];
        while self.takes("/") {
            types.push(self.one());
        }
        match types.len() {
            1 => types.remove(0),
            _ => Type::Choice(types),
        }
    }

    fn one(&mut self) -> Type {
        let word = self.word();
        match word.as_str() {
            "{" => Type::Map(self.members()),
            "[" => {
                let occurrence = self.word();
                let max = occurrence.strip_prefix("0*").expect("0*MAX");
                let max = max.parse().expect("a number");
                let element = Box::new(self.choice());
                self.expect("]");
                Type::Array { max, element }
            }
            "tstr" | "bstr" | "uint" | "bool" => {
                let size = self.takes(".size").then(|| self.size());
                Type::Plain(word, size)
            }
            _ => match word.strip_prefix('"') {
                Some(rest) => Type::Literal(rest.strip_suffix('"').expect("a quote").to_owned()),
                None => Type::Rule(word),
            },
        }
    }

    /// `8` or `(1..255)`.
    fn size(&mut self) -> (u64, u64) {
        let number = |text: &str| text.parse::<u64>().expect("a number");
        if !self.takes("(") {
            let size = number(&self.word());
            return (size, size);
        }
        let range = self.word();
        let (low, high) = range.split_once("..").expect("a range");
        self.expect(")");
        (number(low), number(high))
    }

    /// Up to the closing brace. Every map ends with the rule that lets unknown keys be.
    fn members(&mut self) -> Vec<Member> {
        let mut members = Vec::new();
        while !self.takes("*") {
            let optional = self.takes("?");
            let key = self.word();
            self.expect(":");
            let value = self.choice();
            self.expect(",");
            members.push(Member {
                key,
                optional,
                value,
            });
        }
        for word in ["tstr", "ARROW", "any", "}"] {
            self.expect(word);
        }
        members
    }
}

#[test]
fn every_kind_of_message_has_a_rule_and_a_sample() {
    let grammar = Grammar::published();
    for sender in [Sender::Agent, Sender::Dom0] {
        let samples = samples::all_encoded().into_iter();
        let of_sender = samples.filter(|(from, _)| *from == sender);
        let sampled: BTreeSet<String> = of_sender
            .map(|(_, bytes)| text(Map::decode(&bytes).expect("own encoding").get("type")))
            .collect();
        assert_eq!(sampled, grammar.kinds(sender));
    }
}

#[test]
fn every_message_is_in_the_grammar() {
    let grammar = Grammar::published();
    for (sender, bytes) in samples::all_encoded() {
        let message = Map::decode(&bytes).expect("own encoding");
        let members = grammar.members_of(sender, &message).to_vec();
        let message = Value::Map(message);
        assert!(
            grammar.matches(&Type::Map(members), &message),
            "{message:?}"
        );
    }
}

#[test]
fn the_grammar_names_every_key_and_the_samples_use_every_key() {
    let grammar = Grammar::published();
    let mut unused: BTreeSet<(String, String)> = BTreeSet::new();
    let mut used = BTreeSet::new();
    for (sender, bytes) in samples::all_encoded() {
        let message = Map::decode(&bytes).expect("own encoding");
        let members = grammar.members_of(sender, &message);
        visit(&grammar, members, &message, &mut |members, map| {
            for (key, _) in map.pairs() {
                let named = members.iter().any(|member| member.key == *key);
                assert!(named, "{key} is not in the grammar");
            }
            for member in members {
                let id = (format!("{:?}", keys_of(members)), member.key.clone());
                if map.get(&member.key).is_some() {
                    used.insert(id);
                } else {
                    unused.insert(id);
                }
            }
        });
    }
    let never: Vec<_> = unused.difference(&used).collect();
    assert!(
        never.is_empty(),
        "in the grammar but in no sample: {never:?}"
    );
}

fn keys_of(members: &[Member]) -> Vec<&str> {
    members.iter().map(|member| member.key.as_str()).collect()
}

/// Calls `seen` with every map of a message and the members that the grammar gives it.
fn visit(
    grammar: &Grammar,
    members: &[Member],
    map: &Map<'_>,
    seen: &mut impl FnMut(&[Member], &Map<'_>),
) {
    seen(members, map);
    for member in members {
        if let Some(value) = map.get(&member.key) {
            visit_value(grammar, &member.value, value, seen);
        }
    }
}

fn visit_value(
    grammar: &Grammar,
    expected: &Type,
    value: &Value<'_>,
    seen: &mut impl FnMut(&[Member], &Map<'_>),
) {
    match (expected, value) {
        (Type::Rule(name), _) => visit_value(grammar, grammar.rule(name), value, seen),
        (Type::Choice(types), _) => {
            let found = types.iter().find(|one| grammar.matches(one, value));
            visit_value(grammar, found.expect("checked elsewhere"), value, seen);
        }
        (Type::Array { element, .. }, Value::Array(values)) => {
            for value in values {
                visit_value(grammar, element, value, seen);
            }
        }
        (Type::Map(members), Value::Map(map)) => visit(grammar, members, map, seen),
        _ => {}
    }
}

#[test]
fn a_field_may_be_left_out_exactly_if_the_grammar_says_so() {
    let grammar = Grammar::published();
    for (sender, bytes) in samples::all_encoded() {
        let message = Map::decode(&bytes).expect("own encoding");
        for member in grammar.members_of(sender, &message) {
            let all = Map::decode(&bytes).expect("own encoding").into_pairs();
            let kept = all.into_iter().filter(|(key, _)| *key != member.key);
            let without = Map::from_pairs(kept.collect()).encode();
            let verdict = receive(sender, &without);
            let context = format!("{} of {message:?}: {verdict:?}", member.key);
            assert_eq!(verdict.is_ok(), member.optional, "{context}");
        }
    }
}

#[test]
fn a_value_that_the_grammar_refuses_is_refused() {
    let grammar = Grammar::published();
    let wrong = || {
        let long: Value<'_> = std::iter::repeat_n(0_u64, 65).collect();
        vec![
            Value::Unsigned(0),
            Value::Unsigned(1 << 16),
            Value::Unsigned(1 << 32),
            Value::Bool(true),
            Value::Bytes(&[]),
            Value::Bytes(&[0; 2_049]),
            Value::from(""),
            Value::from("x".repeat(600)),
            long,
            Value::Map(Map::default()),
            Value::Other,
        ]
    };
    let mut refused = 0;
    for (sender, bytes) in samples::all_encoded() {
        let message = Map::decode(&bytes).expect("own encoding");
        for member in grammar.members_of(sender, &message) {
            for value in wrong() {
                if grammar.matches(&member.value, &value) {
                    continue;
                }
                let shown = format!("{} = {value:?}", member.key);
                let all = Map::decode(&bytes).expect("own encoding").into_pairs();
                let mut pairs: Vec<_> = all;
                pairs.retain(|(key, _)| *key != member.key);
                pairs.push((member.key.clone().into(), value));
                let verdict = receive(sender, &Map::from_pairs(pairs).encode());
                assert!(verdict.is_err(), "{shown} in {message:?}");
                let unknown_type = matches!(verdict, Err(MessageError::UnknownType { .. }));
                assert!(!unknown_type || member.key == "type", "{shown}");
                refused += 1;
            }
        }
    }
    assert!(refused > 500, "{refused}");
}

#[test]
fn the_grammar_lists_the_refusal_codes() {
    let codes = RefusalCode::ALL.map(|code| Type::Literal(code.as_str().to_owned()));
    let grammar = Grammar::published();
    assert!(*grammar.rule("refusal-code") == Type::Choice(codes.to_vec()));
}
