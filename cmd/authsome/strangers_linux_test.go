package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// asNobody runs f on a thread of another user: what f opens is that user's.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can act as another user")
	}
	const nobody = 65534
	done := make(chan syscall.Errno)
	go func() {
		runtime.LockOSThread() // and never unlock it, so that the thread ends with the goroutine
		_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody)
		if errno == 0 {
			f()
		}
		done <- errno
	}()
	if errno := <-done; errno != 0 {
		t.Fatalf("become another user: %v", errno)
	}
}

// limitDescriptors makes the programs that b starts run with at most n descriptors.
func (b *bench) limitDescriptors(n int) {
	b.t.Helper()
	script := filepath.Join(b.t.TempDir(), "limited")
	text := fmt.Sprintf("#!/bin/sh\nulimit -n %d && exec %s \"$@\"\n", n, b.binary)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		b.t.Fatal(err)
	}
	b.binary = script
}

func counterValue(t *testing.T, admin, series string) int {
	t.Helper()
	_, body := fetch(t, http.DefaultClient, "http://"+admin+"/metrics")
	m := regexp.MustCompile("(?m)^" + regexp.QuoteMeta(series) + " (.+)$").FindStringSubmatch(body)
	if m == nil {
		return 0
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// Silent connections of another user, more than the proxy has descriptors, do not keep
// the owner out: neither from the proxy nor from the admin port.
func TestOwnerIsServedAmongSilentStrangers(t *testing.T) {
	for name, token := range map[string]string{"without a token": "", "with a token": "a-token"} {
		t.Run(name, func(t *testing.T) {
			b, s := newBench(t), startService(t)
			b.run("re_0123456789", "login", "resend", "--key-stdin", "--no-verify")
			b.more = append(b.more, "AUTHSOME_PROXY_TOKEN="+token)
			b.limitDescriptors(256)
			_, proxy, admin := b.proxy(s.flags()...)
			c := client(t, proxy, admin)
			asNobody(t, func() {
				for range 250 {
					for _, addr := range []string{proxy, admin} {
						conn, err := net.Dial("tcp", addr)
						if err != nil {
							t.Error(err)
							return
						}
						t.Cleanup(func() { conn.Close() })
					}
				}
			})
			if status, body := fetch(t, c, "https://"+s.host+"/emails"); status != 200 {
				t.Errorf("the owner was answered %d %s", status, body)
			}
			outcome := map[string]string{"": "refused", "a-token": "dropped"}[token]
			// With a token, a quarter of the descriptors may be strangers' at a time.
			series := fmt.Sprintf("authsome_strangers_total{outcome=%q}", outcome)
			eventually(t, "the strangers are counted", func() bool { return counterValue(t, admin, series) >= 250-64 })
		})
	}
}

// Another user's refused requests are one audit line a minute, with their number and
// without their text.
func TestRefusedStrangersDoNotFillTheDisk(t *testing.T) {
	for name, token := range map[string]string{"without a token": "", "with a token": "a-token"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.run("", "init")
			b.more = append(b.more, "AUTHSOME_PROXY_TOKEN="+token)
			cmd, proxy, admin := b.proxy()
			const rounds = 2000
			began := time.Now()
			asNobody(t, func() {
				for i := range rounds {
					c, err := net.Dial("tcp", proxy)
					if err != nil {
						t.Error(err)
						return
					}
					method := [...]string{"GET http://theirs.test/", "CONNECT theirs.test:443?", "THEIRS"}[i%3]
					io.WriteString(c, method+strings.Repeat("a", 4000)+" HTTP/1.1\r\nHost: theirs.test\r\n\r\n")
					if response, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
						response.Body.Close()
					}
					c.Close()
				}
			})
			eventually(t, "the refusals are counted", func() bool {
				return counterValue(t, admin, `authsome_strangers_total{outcome="refused"}`) >= rounds
			})
			cmd.Process.Signal(syscall.SIGTERM)
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
			log, err := os.ReadFile(filepath.Join(b.home, "logs", "authsome.log"))
			if err != nil {
				t.Fatal(err)
			}
			for where, text := range map[string]string{"audit log": b.auditLog(), "log": string(log)} {
				// The digests of the audit log have four "a" in a row now and then.
				if strings.Contains(strings.ToLower(text), "theirs") || strings.Contains(text, strings.Repeat("a", 65)) {
					t.Errorf("the %s has a stranger's text", where)
				}
				if len(text) > 16<<10 {
					t.Errorf("the %s has %d bytes", where, len(text))
				}
			}
			lines, sum := 0, 0
			for _, m := range regexp.MustCompile(`"event":"refusal".*"count":(\d+)`).FindAllStringSubmatch(b.auditLog(), -1) {
				n, _ := strconv.Atoi(m[1])
				lines, sum = lines+1, sum+n
			}
			// The first at once, one a minute, and the rest at the end.
			if allowed := 2 + int(time.Since(began)/time.Minute); lines > allowed || sum != rounds {
				t.Errorf("%d lines for %d of %d refusals", lines, sum, rounds)
			}
		})
	}
}
