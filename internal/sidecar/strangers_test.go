package sidecar

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/audit"
)

// However many strangers are refused, there is one report a minute, and the reports
// add up to all of them.
func TestStrangersAreReportedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var reports []int64
		var last time.Duration
		s := strangers{report: func(code string, n int64) {
			at := time.Since(start)
			if len(reports) > 0 && at-last < strangersInterval || code != "not_your_proxy" {
				t.Errorf("a report of %s at %v, after one at %v", code, at, last)
			}
			reports, last = append(reports, n), at
		}}
		var total int64
		flood := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				s.add("not_your_proxy")
				total++
			}
		}
		flood(150 * time.Second)
		time.Sleep(10 * time.Minute) // quiet: the next one is reported at once
		synctest.Wait()
		if len(reports) != 4 || reports[0] != 1 {
			t.Errorf("reports of %v", reports)
		}
		s.add("not_your_proxy")
		total++
		if len(reports) != 5 {
			t.Errorf("after a quiet time: reports of %v", reports)
		}
		time.Sleep(strangersInterval)
		synctest.Wait()
		s.add("not_your_proxy")
		s.add("not_your_proxy")
		total += 2
		time.Sleep(strangersInterval)
		synctest.Wait()
		s.add("not_your_proxy")
		total++
		last = 0 // the end may come early
		s.close()
		var sum int64
		for _, n := range reports {
			sum += n
		}
		if sum != total {
			t.Errorf("%d reported, %d refused", sum, total)
		}
	})
}

// The audit log gets the number of refused strangers, and nothing that they sent.
func TestStrangersInTheAuditLog(t *testing.T) {
	var path string
	var log *audit.Log
	r := start(t, func(r *rig, o *Options) {
		path = filepath.Join(r.dir, "audit.log")
		var err error
		if log, err = audit.Open(path, audit.Options{}); err != nil {
			t.Fatal(err)
		}
		o.Audit = log
	})
	const refused = 1000
	for range refused {
		r.record(intercept.Exchange{Kind: intercept.KindRefused, Stranger: true, Code: intercept.CodeNotYourProxy, Status: 403})
		r.record(intercept.Exchange{Kind: intercept.KindRefused, Stranger: true}) // dropped: in the metrics only
	}
	r.strangers.close()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], `"outcome":"not_your_proxy","count":1`) || !strings.Contains(lines[1], `"count":999`) {
		t.Errorf("the audit log has\n%s", text)
	}
}
