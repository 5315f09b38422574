package e2e

import (
	"regexp"
	"strings"
	"testing"
)

// attempts are kinds of connections that a fence refuses, in Python.
const attempts = `
import os, socket, urllib.request
def tcp(host, port, times=1):
    for _ in range(times):
        try: socket.create_connection((host, port), 20); print('connected', host, port)
        except ConnectionRefusedError: pass
def udp(host, port, times=1):
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    for _ in range(times):
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.settimeout(20)
        s.connect((host, port))
        s.send(b'x')
        try: s.recv(1); print('answered', host, port)
        except ConnectionRefusedError: pass
def proxied(url, times=1):
    for _ in range(times):
        try: urllib.request.urlopen(url); print('answered', url)
        except OSError: pass
`

var runID = regexp.MustCompile("log --run [0-9a-f]+")

// TestIsolatedReport checks what the end of a run says about connections that were
// refused. Those that the proxy refused are in its log, so they are in the summary too.
func TestIsolatedReport(t *testing.T) {
	t.Parallel()
	r := newNobodyRig(t)
	for _, tt := range []struct {
		name, python string
		want         []string
	}{
		{"TCP by name", "tcp('db.internal', 5432, 3)", []string{"blocked: 3 connections to db.internal:5432; allow with --allow-tcp db.internal:5432"}},
		{"TCP by address", "tcp('203.0.113.9', 22)", []string{"blocked: 1 connection to 203.0.113.9:22; allow with --allow-tcp 203.0.113.9:22"}},
		{"TCP by IPv6 address", "tcp('2001:db8::9', 22, 2)", []string{"blocked: 2 connections to [2001:db8::9]:22; allow with --allow-tcp '[2001:db8::9]:22'"}},
		{"UDP by name", "udp('ntp.internal', 123, 2)", []string{"blocked: 2 packets to ntp.internal:123, by UDP"}},
		{"UDP by IPv6 address", "udp('2001:db8::9', 123)", []string{"blocked: 1 packet to [2001:db8::9]:123, by UDP"}},
		{"HTTP through the proxy", "proxied('http://db.internal:9000/', 2)", []string{"python3: 2 blocked (db.internal:9000): authsome log --run ID", "blocked: 2 connections to db.internal:9000; allow with --allow-tcp db.internal:9000"}},
		{"HTTPS through the proxy", "proxied('https://db.internal:9000/', 2)", []string{"python3: 2 blocked (db.internal:9000): authsome log --run ID", "blocked: 2 connections to db.internal:9000; allow with --allow-tcp db.internal:9000"}},
		{"both ways to one target", "proxied('https://db.internal:9000/'); tcp('db.internal', 9000)", []string{"python3: 1 blocked (db.internal:9000): authsome log --run ID", "blocked: 2 connections to db.internal:9000; allow with --allow-tcp db.internal:9000"}},
		{"nothing inside", "tcp('localhost', 9); udp('localhost', 9); udp('" + routeHost + "', 443)", nil},
		{"as many as are named", "[tcp('h%d.internal' % n, 22, n) for n in range(1, 5)]", []string{
			"blocked: 4 connections to h4.internal:22; allow with --allow-tcp h4.internal:22",
			"blocked: 3 connections to h3.internal:22; allow with --allow-tcp h3.internal:22",
			"blocked: 2 connections to h2.internal:22; allow with --allow-tcp h2.internal:22",
			"blocked: 1 connection to h1.internal:22; allow with --allow-tcp h1.internal:22",
		}},
		{"more than are named", "[tcp('h%d.internal' % n, 22, n) for n in range(1, 7)]; udp('ntp.internal', 123, 9)", []string{
			"blocked: 6 connections to h6.internal:22; allow with --allow-tcp h6.internal:22",
			"blocked: 5 connections to h5.internal:22; allow with --allow-tcp h5.internal:22",
			"blocked: 4 connections to h4.internal:22; allow with --allow-tcp h4.internal:22",
			"blocked: 3 connections to h3.internal:22; allow with --allow-tcp h3.internal:22",
			"blocked: and connections to 3 more",
		}},
		{"more than are counted one by one", "tcp('db.internal', 5432, 2); [proxied('http://h%d.internal:9000/' % n) for n in range(70)]; tcp('db.internal', 5432, 2)", []string{
			"python3: 70 blocked (other hosts 6, h0.internal:9000 1, h1.internal:9000 1, h10.internal:9000 1, …): authsome log --run ID",
			"blocked: 4 connections to db.internal:5432; allow with --allow-tcp db.internal:5432",
			"blocked: 1 connection to h0.internal:9000; allow with --allow-tcp h0.internal:9000",
			"blocked: 1 connection to h1.internal:9000; allow with --allow-tcp h1.internal:9000",
			"blocked: 1 connection to h10.internal:9000; allow with --allow-tcp h10.internal:9000",
			"blocked: and connections to 62 more",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.t = t
			cmd := r.command(nil, "--isolate", "/usr/bin/python3", "-c", attempts+tt.python)
			var out, stderr strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &stderr
			if err := cmd.Run(); err != nil || out.Len() > 0 {
				t.Fatalf("%v: %s%s", err, &out, &stderr)
			}
			var want strings.Builder
			for _, line := range tt.want {
				want.WriteString("authsome: " + line + "\n")
			}
			if got := runID.ReplaceAllString(stderr.String(), "log --run ID"); got != want.String() {
				t.Errorf("the report is\n%swant\n%s", got, &want)
			}
		})
	}
}
