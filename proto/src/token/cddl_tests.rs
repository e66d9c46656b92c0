//! Holds tokens against the published grammar, `docs/token.cddl`.
//!
//! The grammar is read by a parser of the part of CDDL that it is written in; another part of CDDL
//! in that file fails the tests.

use std::collections::BTreeMap;

use coset::CborSerializable as _;
use coset::cbor::value::Value;
use proptest::prelude::*;

use super::forgery::{Forgery, cbor, header, int, text};
use super::tests::{HVS, any_claims, claims};
use super::*;
use crate::hv::HvSigner as _;

const GRAMMAR: &str = include_str!("../../../docs/token.cddl");

/// The rules of the grammar by name.
struct Grammar(BTreeMap<String, Type>);

enum Type {
    Choice(Vec<Self>),
    Rule(String),
    Integer(i128, i128),
    Literal(String),
    /// A text: bytes at least and at most, or the form it has.
    Text(u64, u64),
    Form(String),
    Bytes(u64, u64),
    /// Bytes that are CBOR of that type.
    Encoded(Box<Self>),
    Tagged(u64, Box<Self>),
    Tuple(Vec<Self>),
    Array(usize, usize, Box<Self>),
    /// Whether it may be left out, key, value.
    Map(Vec<(bool, Self, Self)>),
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

    /// Whether `bytes` are a token.
    fn has(&self, bytes: &[u8]) -> bool {
        let value = Value::from_slice(bytes).expect("CBOR");
        self.matches(&Type::Rule("token".to_owned()), &value)
    }

    fn matches(&self, expected: &Type, value: &Value) -> bool {
        let sized = |low: u64, high: u64, length: usize| (low..=high).contains(&(length as u64));
        match (expected, value) {
            (Type::Choice(types), _) => types.iter().any(|one| self.matches(one, value)),
            (Type::Rule(name), _) => {
                let rule = self.0.get(name).unwrap_or_else(|| panic!("no rule {name}"));
                self.matches(rule, value)
            }
            (Type::Integer(low, high), Value::Integer(number)) => {
                (*low..=*high).contains(&(*number).into())
            }
            (Type::Literal(literal), Value::Text(text)) => literal == text,
            (Type::Text(low, high), Value::Text(text)) => sized(*low, *high, text.len()),
            (Type::Form(form), Value::Text(text)) => has_form(form, text),
            (Type::Bytes(low, high), Value::Bytes(bytes)) => sized(*low, *high, bytes.len()),
            (Type::Encoded(inner), Value::Bytes(bytes)) => {
                Value::from_slice(bytes).is_ok_and(|value| self.matches(inner, &value))
            }
            (Type::Tagged(tag, inner), Value::Tag(found, value)) => {
                tag == found && self.matches(inner, value)
            }
            (Type::Tuple(types), Value::Array(values)) => {
                let mut pairs = types.iter().zip(values);
                types.len() == values.len() && pairs.all(|(one, value)| self.matches(one, value))
            }
            (Type::Array(low, high, element), Value::Array(values)) => {
                let mut values_match = values.iter().map(|value| self.matches(element, value));
                (*low..=*high).contains(&values.len()) && values_match.all(|matches| matches)
            }
            (Type::Map(members), Value::Map(entries)) => {
                let has = |(key, value): &(Value, Value)| {
                    let is_it = |(_, name, inner): &(bool, Type, Type)| {
                        self.matches(name, key) && self.matches(inner, value)
                    };
                    members.iter().any(is_it)
                };
                let count = |name: &Type| {
                    let named = entries.iter().filter(|(key, _)| self.matches(name, key));
                    named.count()
                };
                entries.iter().all(has)
                    && members.iter().all(|(optional, name, _)| match count(name) {
                        0 => *optional,
                        count => count == 1,
                    })
            }
            _ => false,
        }
    }
}

/// A regular expression of letters and of `[0-9a-f]{N}`.
fn has_form(form: &str, text: &str) -> bool {
    const DIGITS: &str = "[0-9a-f]{";
    let Some((before, after)) = form.split_once(DIGITS) else {
        return form == text;
    };
    let (count, after) = after.split_once('}').expect("a count");
    let count: usize = count.parse().expect("a number");
    let Some((digits, rest)) = text
        .strip_prefix(before)
        .and_then(|text| text.split_at_checked(count))
    else {
        return false;
    };
    let is_digit = |letter: char| letter.is_ascii_digit() || ('a'..='f').contains(&letter);
    digits.chars().all(is_digit) && has_form(after, rest)
}

/// The words of the grammar, one after the other.
struct Parser(std::iter::Peekable<std::vec::IntoIter<String>>);

impl Parser {
    fn new(grammar: &str) -> Self {
        let mut words = Vec::new();
        for line in grammar.lines() {
            let (code, _comment) = line.split_once(';').unwrap_or((line, ""));
            // Every second part is what stands between quotes.
            for (at, part) in code.split('"').enumerate() {
                if at % 2 == 1 {
                    words.push(format!("\"{part}"));
                    continue;
                }
                let part = part
                    .replace("=>", " -> ")
                    .replace('=', " = ")
                    .replace("->", "=>");
                let marks = ["{", "}", "[", "]", "(", ")", ",", "/", "?", ":"];
                let part = marks
                    .iter()
                    .fold(part, |part, mark| part.replace(mark, &format!(" {mark} ")));
                words.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        Self(words.into_iter().peekable())
    }

    fn next(&mut self) -> Option<String> {
        self.0.next()
    }

    fn word(&mut self) -> String {
        self.next().expect("the grammar ends inside a rule")
    }

    fn expect(&mut self, expected: &str) {
        assert_eq!(self.word(), expected);
    }

    fn takes(&mut self, word: &str) -> bool {
        self.0.next_if(|next| next == word).is_some()
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
        let number = |text: &str| text.parse::<i128>().ok();
        match word.as_str() {
            "{" => Type::Map(self.members()),
            "[" => self.array(),
            "#6.18" => {
                self.expect("(");
                let inner = self.choice();
                self.expect(")");
                Type::Tagged(18, Box::new(inner))
            }
            "bstr" if self.takes(".cbor") => Type::Encoded(Box::new(self.one())),
            "bstr" => {
                let (low, high) = self.size();
                Type::Bytes(low, high)
            }
            "tstr" if self.takes(".regexp") => {
                let form = self.word();
                Type::Form(form.strip_prefix('"').expect("a quote").to_owned())
            }
            "tstr" => {
                let (low, high) = self.size();
                Type::Text(low, high)
            }
            _ if word.starts_with('"') => Type::Literal(word.trim_start_matches('"').to_owned()),
            _ => match (word.split_once(".."), number(&word)) {
                (Some((low, high)), _) => {
                    let number = |text| number(text).expect("a number");
                    Type::Integer(number(low), number(high))
                }
                (None, Some(number)) => Type::Integer(number, number),
                (None, None) => Type::Rule(word),
            },
        }
    }

    /// `1*16 type ]`, or `name: type, … ]`.
    fn array(&mut self) -> Type {
        let word = self.word();
        if let Some((low, high)) = word.split_once('*') {
            let number = |text: &str| text.parse().expect("a number");
            let element = Box::new(self.choice());
            self.expect("]");
            return Type::Array(number(low), number(high), element);
        }
        self.expect(":");
        let mut types = vec![self.choice()];
        loop {
            let more = self.takes(",");
            if self.takes("]") {
                return Type::Tuple(types);
            }
            assert!(more, "a comma");
            self.word();
            self.expect(":");
            types.push(self.choice());
        }
    }

    fn members(&mut self) -> Vec<(bool, Type, Type)> {
        let mut members = Vec::new();
        while !self.takes("}") {
            let optional = self.takes("?");
            let name = self.one();
            self.expect("=>");
            members.push((optional, name, self.choice()));
            self.takes(",");
        }
        members
    }

    /// `.size 8`, `.size (1..255)`, or nothing.
    fn size(&mut self) -> (u64, u64) {
        if !self.takes(".size") {
            return (0, u64::MAX);
        }
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
}

#[test]
fn a_token_of_each_algorithm_is_in_the_grammar() {
    let grammar = Grammar::published();
    for (certificate, key) in &*HVS {
        for algorithm in key.algorithms() {
            let claims = claims(certificate.id());
            let token = sign(&claims, key, *algorithm).expect("a good token");
            assert!(grammar.has(&token), "{algorithm}");
        }
    }
}

#[test]
fn what_is_refused_for_its_content_is_not_in_the_grammar() {
    let grammar = Grammar::published();
    assert!(grammar.has(&Forgery::of_good().token()));
    let changes: [fn(&mut Forgery); 14] = [
        |it| it.protected = header(&[(int(1), int(-7))]),
        |it| it.protected = header(&[(int(1), int(5)), (int(16), text(TOKEN_TYPE))]),
        |it| it.protected.clear(),
        |it| it.unprotected = header(&[(int(1), int(-7))]),
        |it| it.claims.push((cbor(&int(3)), cbor(&text("x")))),
        |it| it.claims.push((cbor(&text("scope")), cbor(&text("x")))),
        |it| it.claims.push((cbor(&int(4)), cbor(&int(1)))),
        |it| *it.claim(b"\x02") = cbor(&text("vm:7E55E2A0-0000-4000-8000-000000000007")),
        |it| *it.claim(b"\x01") = cbor(&text("hv:sha256:00")),
        |it| *it.claim(b"\x04") = cbor(&int(i64::MAX)),
        |it| *it.claim(b"\x04") = cbor(&Value::Float(1.0)),
        |it| *it.claim(b"\x07") = cbor(&Value::Bytes(vec![0; 15])),
        |it| *it.claim(b"\x08") = cbor(&Value::Map(vec![])),
        |it| *it.claim(b"\x6Evm_cert_sha256") = cbor(&Value::Array(vec![])),
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut forgery = Forgery::of_good();
        change(&mut forgery);
        assert!(!grammar.has(&forgery.token()), "change {number}");
    }
    for at in 0..Forgery::of_good().claims.len() {
        let mut without = Forgery::of_good();
        let (key, _) = without.claims.remove(at);
        assert!(!grammar.has(&without.token()), "without {key:02X?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_token_is_in_the_grammar(claims in any_claims()) {
        let (_, key) = &HVS[3];
        let token = sign(&claims, key, SignatureAlgorithm::EdDsa).expect("a good token");
        prop_assert!(Grammar::published().has(&token));
    }
}
