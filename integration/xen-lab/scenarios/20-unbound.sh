# xenstored: both
# A guest that nobody bound has no channel, even with a good token, and its agent says so.
dom0_up
guest_destroy 02
! is_bound 02 || dom0-middleware vm unbind "$(uuid 02)"
guest_image 02
issue 02
guest_create 02
wait_for 120 "guest 02 answers" answers 02
says_so() { in_guest 02 'domu-agent status; cat /var/log/agent.log' | has 'dom0 has no channel'; }
wait_for 60 "the agent says that dom0 has no channel" says_so
in_guest 02 'domu-agent status' && fail "status says that it is connected"
! xenstore-exists "/local/domain/0/data/tessera/$(domid 02)/ring-ref" || fail "there is a vchan for it"

# Binding it is all that is missing; nothing is restarted.
begin=$(now)
bind 02
wait_for 60 "the agent is connected once its guest is bound" connected 02
within "vm bind to connected agent" "$(between "$begin" "$(now)")" 10
