package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// realAddress is what every name resolves to in the network of a trial. It is not on
// the loopback network, because some clients do not use a proxy for that.
const realAddress = "192.0.2.1"

const oracleAddress = "127.0.0.1:8443"

// runTrial is the role that runs one client. It is the first process of its network.
func runTrial() {
	var spec trial
	check(json.NewDecoder(os.Stdin).Decode(&spec))
	check(spec.network())
	r := result{}
	seen := &trap{spec: spec}
	check(seen.listen())
	answers := newAnswers()
	caFile, err := answers.serve(spec)
	check(err)
	spec.client(&r, caFile)
	r.Arrived, r.Naked, r.Problems = answers.seen()
	r.Trapped, r.Outside = seen.report()
	check(json.NewEncoder(os.Stdout).Encode(r))
}

// network brings up the loopback interface, with an address for the trap, and makes
// the trap the name server.
func (spec trial) network() error {
	resolver := filepath.Join(spec.Dir, "resolv.conf")
	if err := os.WriteFile(resolver, []byte("nameserver "+realAddress+"\noptions timeout:1 attempts:1\n"), 0o644); err != nil {
		return err
	}
	target, err := filepath.EvalSymlinks("/etc/resolv.conf")
	if err != nil {
		return err
	}
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"address", "add", realAddress + "/32", "dev", "lo"}} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	return errors.Join(
		syscall.Mount(resolver, target, "", syscall.MS_BIND, ""),
		syscall.Mount("proc", "/proc", "proc", 0, ""),
	)
}

// client runs the client with the binary.
func (spec trial) client(r *result, caFile string) {
	home := filepath.Join(spec.Dir, "authsome")
	if out, err := exec.Command("cp", "-a", spec.Home, home).CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, out))
	}
	user := filepath.Join(spec.Dir, "user")
	check(os.MkdirAll(filepath.Join(user, "tmp"), 0o700))
	for name, text := range spec.Files {
		path := filepath.Join(user, name)
		check(os.MkdirAll(filepath.Dir(path), 0o700))
		check(os.WriteFile(path, []byte(text), 0o700))
	}
	env := []string{"HOME=" + user, "TMPDIR=" + filepath.Join(user, "tmp"), "PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/go/bin", "LANG=C.UTF-8", "TERM=dumb", "USER=" + userName(spec.UID), "SHELL=/bin/sh"}
	env = append(env, spec.Env...)
	if spec.Before != "" {
		before := exec.Command("sh", "-euc", spec.Before)
		before.Dir, before.Env = user, append(env, "SERVED="+filepath.Join(spec.Dir, "repositories"))
		if out, err := before.CombinedOutput(); err != nil {
			panic(fmt.Sprintf("%s: %v: %s", spec.Before, err, out))
		}
	}
	check(os.Chmod(spec.Dir, 0o711))
	check(give(spec.UID, home, user))
	args := append([]string{"run", "--upstream-ca", caFile}, spec.Run...)
	for _, host := range spec.Hosts {
		args = append(args, "--connect-to", host+":443:"+oracleAddress)
	}
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, spec.Binary, append(append(args, "--"), spec.Argv...)...)
	var out lockedBuffer
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = user, append(env, "AUTHSOME_HOME="+home), strings.NewReader(spec.Stdin), &out, &out
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = asUser(spec.UID)
	start := time.Now()
	err := cmd.Run()
	r.Seconds = time.Since(start).Seconds()
	r.Exit = cmd.ProcessState.ExitCode()
	r.Output = tail(out.String(), 6000)
	if err != nil && cmd.ProcessState == nil {
		r.Problems = append(r.Problems, err.Error())
	}
}

func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n/2] + "\n[…]\n" + s[len(s)-n/2:]
}

// lockedBuffer is a buffer for standard output and standard error of a process.
type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// trap is at the real address of every name. It records which names clients connect
// to, and serves none of them.
type trap struct {
	spec trial

	mu    sync.Mutex // guards names
	names []string
}

func (tr *trap) listen() error {
	packets, err := net.ListenPacket("udp", realAddress+":53")
	if err != nil {
		return err
	}
	go resolve(packets)
	for _, port := range []string{"443", "80"} {
		l, err := net.Listen("tcp", net.JoinHostPort(realAddress, port))
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go tr.record(c, port)
			}
		}()
	}
	return nil
}

// record notes the name in the client's first bytes: the server name of a ClientHello,
// or the Host of a request.
func (tr *trap) record(c net.Conn, port string) {
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	first := bufio.NewReader(c)
	if _, err := first.Peek(1); err != nil {
		return // opened for a request that did not come, perhaps through the proxy
	}
	name := "unknown:" + port
	if port == "443" {
		name = serverName(readFirst{c, first})
	} else if request, err := http.ReadRequest(first); err == nil {
		name = request.Host + ":80"
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.names = append(tr.names, name)
}

// report separates the intercepted hosts from the others. The proxy connects to
// intercepted hosts at the oracle, so only a client connects to their real address.
func (tr *trap) report() (trapped, outside []string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	slices.Sort(tr.names)
	for _, name := range slices.Compact(tr.names) {
		if slices.Contains(tr.spec.Hosts, strings.TrimSuffix(name, ":80")) || strings.HasPrefix(name, "unknown") {
			trapped = append(trapped, name)
		} else {
			outside = append(outside, name)
		}
	}
	return trapped, outside
}

// resolve answers the questions that arrive in packets.
func resolve(packets net.PacketConn) {
	b := make([]byte, 1500)
	for {
		n, from, err := packets.ReadFrom(b)
		if err != nil {
			return
		}
		if answer, err := resolveMessage(b[:n]); err == nil {
			packets.WriteTo(answer, from)
		}
	}
}

// resolveMessage answers a question for an IPv4 address with realAddress.
func resolveMessage(question []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	for _, q := range m.Questions {
		if q.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60},
				Body:   &dnsmessage.AResource{A: [4]byte(net.ParseIP(realAddress).To4())},
			})
		}
	}
	return m.Pack()
}

var errRecorded = errors.New("recorded")

// readFirst is a connection that is read through a buffer. Writes go nowhere.
type readFirst struct {
	net.Conn
	first *bufio.Reader
}

func (r readFirst) Read(b []byte) (int, error) { return r.first.Read(b) }
func (readFirst) Write(b []byte) (int, error)  { return len(b), nil }
