//! Bad input and faults, over the whole chain: each ends in an error that says what is wrong, costs
//! nobody else anything, and the next session on that card works.
//!
//! # Where each fault is tested
//!
//! Names without a path are tests of this folder; `restart` and the like are its neighbours;
//! `proto`, `dom0` and `agent` mean unit tests of `proto`, `dom0-middleware` and `domu-agent`, where
//! time and bytes are arguments. What is here runs the real programs.
//!
//! ## Card
//!
//! | Fault | Test |
//! |---|---|
//! | mute, slow, removed mid-flight | `restart::a_card_that_fails_costs_one_session_and_disturbs_no_other_card`; `dom0: vicc::a_late_answer_is_not_taken_for_the_next_one` |
//! | garbage, truncated, wrong status word, reset, at any command | `card::at_whatever_command_a_card_fails_the_next_session_works_in_tls12`, `_in_tls13`; `dom0: handshake::a_card_may_answer_anything`, `opening::a_card_may_answer_anything` |
//! | wrong EAP identifier, length, type; NAK; 9000 without data; 9Fxx and 61xx without end; KeyBlock too short; suite other than ServerHello's; another certificate | `card::each_way_to_misbehave_is_named_and_costs_one_session_of_tls12`, `_of_tls13`; `dom0: handshake::{tolerances, keys, hostile}` |
//! | reset while it is opened | `card::a_card_that_is_reset_while_it_is_opened_is_opened_again` |
//! | another card | `adoption::another_card_in_the_reader_is_refused_until_it_is_adopted` |
//! | reset by another program, which must get the card first | `pcsc::nobody_else_reaches_the_card_while_the_service_has_it` |
//! | one PIN try left, blocked PIN | `card::the_last_try_of_a_pin_is_not_spent_and_a_blocked_one_not_tried` |
//! | wrong PIN file, restarts after it | `card::a_wrong_pin_file_costs_one_try_however_often_the_service_starts` |
//!
//! ## Guest
//!
//! | Fault | Test |
//! |---|---|
//! | frame too long, CBOR bombs (depth, claimed lengths, keys twice, no end) | `guest::what_is_no_message_ends_the_connection_of_its_sender_alone`; `proto: agent::cbor` |
//! | half a frame, then silence | `guest::half_a_frame_and_then_silence_is_given_up` |
//! | unknown message, message before `welcome`, session number used twice, records for a closed session | `guest::what_is_said_at_the_wrong_time_ends_what_it_belongs_to` |
//! | 257th handshake | `guest::the_257th_handshake_is_refused_and_its_place_is_given_back` |
//! | records that are none, 300 KiB of handshake | `guest::bytes_that_are_no_handshake_end_it_and_free_the_card` |
//! | flood of opens | `guest::a_flood_of_opens_fills_no_place_but_its_own` |
//! | vanishing mid-handshake | `guest::a_guest_that_vanishes_leaves_the_card_to_the_next` |
//! | never reading | `guest::a_guest_that_never_reads_is_cut_off` |
//! | a fifth connection | `dom0: service::a_domain_has_four_connections_and_gets_a_place_back` |
//!
//! ## Server
//!
//! | Fault | Test |
//! |---|---|
//! | order, messages twice or missing, foreign record types, alert, garbage, HelloRequest, 64 empty records, at each step | `server::steps::records_that_do_not_belong_there_end_the_handshake_at_any_step`; `proto: flight::messages_out_of_place_are_refused`, `records_out_of_place_are_refused`; `dom0: tls13::records_that_have_no_place_end_the_handshake` |
//! | stall at each step | `server::steps::a_server_that_falls_silent_at_any_step_costs_its_own_session_only` |
//! | one bit flipped | `server::bytes::a_bit_that_is_flipped_never_goes_unnoticed_in_tls12`, `_in_tls13` |
//! | cut | `server::bytes::a_connection_that_is_cut_anywhere_is_told_from_one_that_ends`; `data` |
//! | 300 KiB of certificates | `server::volume::a_certificate_chain_of_300_kib_is_refused` |
//! | messages split over many records | `server::volume::messages_in_many_records_are_as_good_as_in_one`; `tls13` |
//! | KeyUpdate storms | `server::volume::a_server_may_update_its_keys_with_its_data_and_not_without_end` |
//! | HelloRequests, empty records, warnings, tickets on a connection that stands | `wishes::a_server_that_asks_to_renegotiate_is_told_no`; `proto: record_layer::what_can_be_repeated_without_data_is_counted` |
//! | a server that must not be trusted | `trust`, `tls13` |
//!
//! ## Host
//!
//! | Fault | Test |
//! |---|---|
//! | unknown keys, missing files, one identity bound twice | `host::a_configuration_that_is_wrong_is_named_and_nothing_starts`; `dom0: config` |
//! | full disk | `host::without_room_for_the_audit_no_key_leaves_and_with_it_they_do_again` |
//! | no descriptors | `host::without_descriptors_who_is_there_is_served_and_who_comes_waits` |
//! | clock jumping both ways | `host::a_clock_that_jumps_expires_certificates_and_nothing_else` |
//! | `kill -9` during load | `kill::killed_at_any_moment_it_comes_up_again_and_nothing_is_lost`: ten times, or as often as `TESSERA_KILLS` says |

mod card;
mod guest;
mod host;
mod kill;
mod server;

use integration::world::{self, NAME};
