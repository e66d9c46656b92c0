//! The table behind `account.rs`.

use self::Use::{NotSent, Replayed};

/// A run of recorded commands, up to the next part.
#[derive(Debug)]
pub(crate) struct Part {
    /// The note under which it begins, or its beginning.
    pub(crate) from: &'static str,
    pub(crate) used: Use,
}

/// What becomes of a part.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Use {
    /// By this test.
    Replayed(&'static str),
    /// By none, because the driver never sends it.
    NotSent(&'static str),
}

const fn part(from: &'static str, used: Use) -> Part {
    Part { from, used }
}

const PERSONALISE: Use = NotSent("personalisation needs the operator PIN, which dom0 never has");
const ACK: Use = NotSent("nothing follows an error but Set-Identity");
const MSK: Use = NotSent("the MSK proves nothing and is never read");
const FOREIGN: Use = NotSent("the driver sends EAP-TLS requests and nothing else");
const PIN_CARE: Use = NotSent("PIN care is done with other tools, and VERIFY never goes out empty");
const CHAIN_ABUSE: Use = NotSent("a segment chain is never interrupted");
const START_FORMS: Use = NotSent("a start packet is sent once, in its full form");
const FORGET_FIRST: Use =
    Replayed("a_first_flight_the_card_refuses_ends_in_6985_and_the_identity_is_set_again");
const NO_RECORD: Use = Replayed("a_session_left_by_a_failure_does_not_help_the_next_handshake");
const OPENING: Use = Replayed("the_other_recorded_cards_open_with_one_verify");
const SHARED: Use = Replayed("a_session_of_an_earlier_run_is_offered_to_nobody");
const T0_BOTH: Use = Replayed("the_2005_card_behind_t0_cannot_export_after_either_handshake");
const T0_LIST: Use = Replayed("a_list_that_stands_still_on_t0_is_asked_for_once_more_with_ff");
const T1_LIST: Use = Replayed("a_list_that_wraps_on_t1_is_read_once_and_certificates_are_fetched");
const UNKNOWN: Use =
    Replayed("an_identity_that_the_card_does_not_know_is_refused_before_the_start");
const CA_IN_LIST: Use =
    Replayed("with_the_ca_in_the_list_the_card_goes_on_after_a_declined_session");

/// By file name.
pub(crate) const ACCOUNT: &[(&str, &[Part])] = &[
    (
        "a05-t0-full-and-resume.txt",
        &[
            part("select by AID", T0_LIST),
            part("set identity to an unknown", UNKNOWN),
            part("set identity alice", T0_LIST),
            part(
                "get current identity",
                NotSent("asked before VERIFY or when no name is listed"),
            ),
            part("EAP-Request/Identity", FOREIGN),
            part(
                "Reset-State",
                NotSent("recorded with 6D00: the profile of this card leaves it out"),
            ),
            part("Get-State", T0_LIST),
            part("unknown INS", NotSent("a command of no specification")),
            part("=== full", T0_BOTH),
            part("Get-Session-Key", MSK),
            part("EAP-Success", FOREIGN),
            part("EAP-TLS ack after end", ACK),
            part("EAP-Request/Identity", FOREIGN),
            part("=== second session", T0_BOTH),
            part("Get-Session-Key", MSK),
        ],
    ),
    (
        "a05-t0-large-flights.txt",
        &[part(
            "select",
            Replayed("large_flights_are_fragmented_and_put_together_as_recorded"),
        )],
    ),
    (
        "a05-t0-loose-parsing.txt",
        &[
            part("select", OPENING),
            part(
                "set identity alice",
                NotSent("without a handshake behind it"),
            ),
            part(
                "Get-Exported-Parameter",
                Replayed("the_recorded_6d00_is_the_one_a_card_without_export_gives"),
            ),
            part("Get-Session-Key", MSK),
            part("EAP-TLS request with only five bytes", FOREIGN),
        ],
    ),
    (
        "a05-t0-personalise.txt",
        &[
            part(
                "select",
                Replayed("the_card_behind_t0_refuses_in_the_same_way"),
            ),
            part("write to the credential memory", PERSONALISE),
        ],
    ),
    (
        "a05-t0-session-shared-by-identities.txt",
        &[
            part("select", OPENING),
            part("reading the credential memory", PERSONALISE),
            part("set identity alice", SHARED),
            part("set identity to an unknown", UNKNOWN),
            part(
                "current identity is unchanged",
                NotSent("asked before VERIFY or when no name is listed"),
            ),
            part(
                "=== still alice",
                NotSent("a refused Set-Identity ends the handshake: no start follows it"),
            ),
            part("set identity bob", SHARED),
            part(
                "=== bob",
                Replayed("a_server_that_resumes_a_forgotten_session_never_reaches_the_card"),
            ),
        ],
    ),
    (
        "a05-t1-errors-chain.txt",
        &[
            part("select", OPENING),
            part(
                "set identity alice",
                NotSent("set twice: before and behind the overwriting"),
            ),
            part("overwrite", FORGET_FIRST),
            part(
                "set identity alice",
                NotSent("set twice: before and behind the overwriting"),
            ),
            part("=== declined session id, leaf-only", FORGET_FIRST),
            part("set identity alice", FORGET_FIRST),
            part("overwrite", CA_IN_LIST),
            part(
                "set identity alice",
                NotSent("set twice: before and behind the overwriting"),
            ),
            part("=== declined session id, server sends", CA_IN_LIST),
            part("=== resume on the second", CA_IN_LIST),
            part("overwrite", FORGET_FIRST),
            part("=== flipped bit", FORGET_FIRST),
            part(
                "set identity alice",
                Replayed("a_corrupted_finished_is_reached_over_a_whole_first_flight"),
            ),
            part(
                "server CCS+Finished",
                NotSent(
                    "the recording host sent the flight twice in one packet; the driver cuts it at its end",
                ),
            ),
            part("ack after", ACK),
            part("session key after failure", MSK),
            part(
                "set identity alice",
                NotSent("sent at the end of the handshake before"),
            ),
            part("=== after failure", NO_RECORD),
            part("set identity alice", FORGET_FIRST),
            part("overwrite", FORGET_FIRST),
            part("=== no CertificateRequest", FORGET_FIRST),
        ],
    ),
    (
        "a05-t1-errors.txt",
        &[
            part("select", OPENING),
            part(
                "set identity alice",
                NotSent("the handshake behind it is refused at its ClientHello"),
            ),
            part("=== resume with corrupted", NO_RECORD),
            part("ack after", ACK),
            part("method function C2", FORGET_FIRST),
            part("=== full with a flipped bit", FORGET_FIRST),
            part("ack after", ACK),
            part("set identity alice", FORGET_FIRST),
            part(
                "=== full with corrupted",
                Replayed("a_flight_that_declines_a_stand_in_is_refused_when_it_is_too_short"),
            ),
            part("session key after", MSK),
            part(
                "=== full without waiting",
                Replayed("a_flight_cut_short_is_waited_for_and_never_given_to_the_card"),
            ),
            part("set identity alice", CHAIN_ABUSE),
            part("first segment", CHAIN_ABUSE),
            part("start twice", START_FORMS),
            part("operator", PERSONALISE),
            part(
                "set identity alice",
                Replayed("a_card_that_answers_step_by_step_is_asked_on_with_empty_packets"),
            ),
            part("status=8000", PERSONALISE),
            part(
                "set identity alice",
                Replayed("a_card_in_its_test_mode_offers_no_session"),
            ),
            part("functions disabled", PERSONALISE),
            part(
                "method function random",
                NotSent("randomness is not taken from cards"),
            ),
            part("back to 2000", PERSONALISE),
        ],
    ),
    (
        "a05-t1-full-and-resume.txt",
        &[
            part(
                "set identity",
                Replayed("a_full_handshake_in_small_fragments_ends_without_export"),
            ),
            part("session key", MSK),
            part("=== resume", NO_RECORD),
            part("identity request", FOREIGN),
            part("=== resume with L flag", NO_RECORD),
            part("identity request", FOREIGN),
        ],
    ),
    (
        "a05-t1-identity-and-edges.txt",
        &[
            part("select", T1_LIST),
            part(
                "get current identity",
                NotSent("asked before VERIFY or when no name is listed"),
            ),
            part("get next identity", T1_LIST),
            part(
                "get preferred identity",
                NotSent("the binding names the identity, not the card"),
            ),
            part(
                "set identity with wrong P2",
                NotSent("the driver has one form of Set-Identity"),
            ),
            part(
                "EAP-TLS start before",
                Replayed("a_nak_to_the_start_means_that_no_identity_is_set"),
            ),
            part("set identity: EAP-ID", UNKNOWN),
            part("set identity bob", T1_LIST),
            part(
                "current",
                NotSent("asked before VERIFY or when no name is listed"),
            ),
            part("identity request", FOREIGN),
            part(
                "FETCH with nothing",
                NotSent("sent only when an answer says that there is more"),
            ),
            part("Get-Session-Key", MSK),
            part(
                "ETSI INS 88",
                NotSent("the driver has one form of Process-EAP"),
            ),
            part(
                "method function: 8 random",
                NotSent("randomness is not taken from cards"),
            ),
            part("method function: read certificate", T1_LIST),
        ],
    ),
    (
        "a05-t1-personalise.txt",
        &[part("operator PIN already verified", PERSONALISE)],
    ),
    (
        "a05-t1-pin.txt",
        &[
            part(
                "command before SELECT",
                NotSent("SELECT comes first, always"),
            ),
            part(
                "select",
                Replayed("a_wrong_pin_is_sent_once_and_its_answer_tells_the_tries_left"),
            ),
            part(
                "select with CLA A0",
                NotSent("SELECT is sent with class 00"),
            ),
            part("EAP packet before PIN", FOREIGN),
            part(
                "verify wrong PIN 1",
                Replayed("a_wrong_pin_is_sent_once_and_its_answer_tells_the_tries_left"),
            ),
            part(
                "status after 2 wrong",
                Replayed("a_card_that_shows_6301_is_never_sent_a_pin"),
            ),
            part(
                "verify wrong PIN 3",
                Replayed("a_blocked_card_says_so_to_the_wrong_pin_and_to_the_right_one"),
            ),
            part(
                "status after 3 wrong",
                Replayed("a_card_that_shows_6301_is_never_sent_a_pin"),
            ),
            part(
                "verify right PIN while blocked",
                Replayed("a_blocked_card_says_so_to_the_wrong_pin_and_to_the_right_one"),
            ),
            part("operator PIN unblocks", PERSONALISE),
            part(
                "select again",
                Replayed("a_card_unblocked_by_its_operator_opens_again"),
            ),
            part("VERIFY with INS 2A", PIN_CARE),
            part(
                "PIN state after that",
                Replayed("a_card_unblocked_by_its_operator_opens_again"),
            ),
            part("CHANGE PIN", PIN_CARE),
            part(
                "verify new PIN",
                Replayed("a_changed_pin_is_the_one_that_opens"),
            ),
            part("CHANGE back", PIN_CARE),
            part("class byte 80", NotSent("the class byte is the profile's")),
            part("verify operator", PERSONALISE),
        ],
    ),
    (
        "a11-t1-full-and-record-layer.txt",
        &[
            part(
                "select",
                Replayed("the_2011_card_cannot_export_and_fails_to_resume"),
            ),
            part("get session key", MSK),
            part(
                "=== full",
                Replayed("the_2011_card_cannot_export_and_fails_to_resume"),
            ),
            part(
                "on-card record layer",
                NotSent("records are protected by the host, never by the card"),
            ),
            part(
                "set identity alice",
                Replayed("the_2011_card_cannot_export_and_fails_to_resume"),
            ),
        ],
    ),
    (
        "a11-t1-personalise.txt",
        &[part("select", OPENING), part("operator", PERSONALISE)],
    ),
    (
        "ext-aes-t0.txt",
        &[part(
            "",
            Replayed("the_aes_card_behind_t0_hands_over_its_recorded_keys"),
        )],
    ),
    (
        "ext-aes-t1.txt",
        &[part(
            "",
            Replayed("the_aes_card_hands_over_its_recorded_keys_full_and_abbreviated"),
        )],
    ),
    (
        "ext-rc4-t0.txt",
        &rc4(Replayed(
            "the_rc4_card_behind_t0_hands_over_its_recorded_keys",
        )),
    ),
    (
        "ext-rc4-t1.txt",
        &rc4(Replayed("the_rc4_card_hands_over_its_recorded_keys")),
    ),
];

const NO_KEYS_YET: Use = NotSent("the state is asked for only after a handshake");
const NO_KEYS: Use = NotSent("keys are asked for once, after a handshake");

const fn rc4(replayed: Use) -> [Part; 17] {
    [
        part("select", replayed),
        part("Get-State: no identity", NO_KEYS_YET),
        part("set identity alice", replayed),
        part("Get-State after reset", NO_KEYS_YET),
        part("KeyBlock before", NO_KEYS),
        part("=== full", replayed),
        part("Get-State while", NO_KEYS_YET),
        part("server CCS", replayed),
        part("unknown index", NO_KEYS),
        part("Reset-State", replayed),
        part("KeyBlock after", NO_KEYS),
        part("=== abbreviated", replayed),
        part("Get-State while", NO_KEYS_YET),
        part("Get-State: authenticated", replayed),
        part("unknown index", NO_KEYS),
        part("Reset-State", replayed),
        part("KeyBlock after", NO_KEYS),
    ]
}
