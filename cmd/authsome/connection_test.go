package main

import (
	"net/http"
	"strings"
	"testing"
)

// Two accounts of one service are used at the same time, each through its own proxy.
// After one of them is moved to another profile, its proxy refuses requests, a proxy of
// the other profile has it, and the other account's proxy continues.
func TestTwoAccountsOfOneService(t *testing.T) {
	b, s := newBench(t), startService(t)
	b.run("re_one_0123456789", "login", "resend", "--key-stdin", "--no-verify")
	b.run("re_two_0123456789", "login", "resend", "--connection", "work", "--key-stdin", "--no-verify")
	b.run("", "profile", "create", "other")
	_, proxy, admin := b.proxy(s.flags()...)
	first := client(t, proxy, admin)
	_, proxy, admin = b.proxy(append(s.flags(), "--connection", "resend=work")...)
	work := client(t, proxy, admin)
	for range 2 {
		fetch(t, first, "https://"+s.host+"/emails")
		fetch(t, work, "https://"+s.host+"/emails")
	}
	want := "Bearer re_one_0123456789 Bearer re_two_0123456789 Bearer re_one_0123456789 Bearer re_two_0123456789"
	if got := strings.Join(s.authorizations(), " "); got != want {
		t.Errorf("the service got %s", got)
	}

	b.run("", "connection", "move", "resend", "work", "--to", "other")
	var body string
	eventually(t, "the proxy refuses the moved connection", func() bool {
		status := 0
		status, body = fetch(t, work, "https://"+s.host+"/emails")
		return status == 403
	})
	if !strings.Contains(body, "login_required") || strings.Contains(strings.ReplaceAll(body, "another terminal", ""), "other") {
		t.Errorf("after the move: %s", body)
	}
	_, proxy, admin = b.proxy(append(s.flags(), "--profile", "other")...)
	moved := client(t, proxy, admin)
	for _, test := range []struct {
		through *http.Client
		want    string
	}{{moved, "Bearer re_two_0123456789"}, {first, "Bearer re_one_0123456789"}} {
		status, _ := fetch(t, test.through, "https://"+s.host+"/emails")
		if seen := s.authorizations(); status != 200 || seen[len(seen)-1] != test.want {
			t.Errorf("%d with %s, want %s", status, seen[len(seen)-1], test.want)
		}
	}
}
