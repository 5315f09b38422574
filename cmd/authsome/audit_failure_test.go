package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// While the audit log cannot be written, requests are served or refused, as config.json
// says. In both cases there is a warning.
func TestFailingAuditLog(t *testing.T) {
	for onFailure, want := range map[string]int{"continue": 200, "refuse": 503} {
		t.Run(onFailure, func(t *testing.T) {
			b, s := newBench(t), startService(t)
			b.run("re_0123456789", "login", "resend", "--key-stdin")
			log := filepath.Join(b.home, "audit.log")
			if err := os.Remove(log); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("/dev/full", log); err != nil {
				t.Fatal(err)
			}
			config := filepath.Join(b.home, "config.json")
			if err := os.WriteFile(config, []byte(`{"audit": {"on_failure": "`+onFailure+`"}}`), 0o600); err != nil {
				t.Fatal(err)
			}
			_, proxy, admin := b.proxy(s.flags()...)
			eventually(t, "the proxy warns of the failure", func() bool {
				b.mu.Lock()
				defer b.mu.Unlock()
				return strings.Contains(b.out.String(), "warning: the audit log cannot be written: "+log)
			})
			status, body := fetch(t, client(t, proxy, admin), "https://"+s.host+"/emails")
			if status != want || strings.Contains(body, "audit_unavailable") != (want == 503) {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}
