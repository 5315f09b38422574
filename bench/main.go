// Bench measures the cost of the authsome proxy and of other proxies that do the
// same work, in one run on one machine.
//
// Each proxy is a separate process, and so is the upstream; the clients are in this
// process. The proxies take turns in short windows, so that a disturbance of the
// machine affects all of them. The most reliable figure is the ratio between two
// proxies within a round. Bench prints what it measured and sets no limits.
//
// Its invariant: a response counts only if the upstream received exactly the
// credential that the proxy had to add to the request.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// settings are the values of the flags.
type settings struct {
	quick    bool
	rounds   int
	window   time.Duration
	parallel int
	big      int64
	only     string
	peers    string
	authsome string
	json     bool
	isolate  bool
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == childCommand {
		if err := serveChild(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench: error:", err)
			os.Exit(1)
		}
		return
	}
	s, err := parseSettings(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
}

func parseSettings(args []string, stderr io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.BoolVar(&s.quick, "quick", false, "measure roughly in less than a minute: 3 rounds of 150ms unless -rounds or -window is set")
	f.IntVar(&s.rounds, "rounds", 0, "measure each proxy `N` times (default 5)")
	f.DurationVar(&s.window, "window", 0, "measure for `DURATION` each time (default 500ms)")
	f.IntVar(&s.parallel, "parallel", 32, "use `N` connections or streams in the workloads that use many")
	f.Int64Var(&s.big, "big", 1<<20, "download `BYTES`")
	f.StringVar(&s.only, "workloads", "", "measure only the workloads in a comma-separated `LIST` of: "+strings.Join(workloadNames(), ", "))
	f.StringVar(&s.peers, "peers", "", "measure only the proxies in a comma-separated `LIST` of: "+strings.Join(peerNames(), ", "))
	f.StringVar(&s.authsome, "authsome", "", "measure the binary at `PATH` (default: build ../cmd/authsome)")
	f.BoolVar(&s.isolate, "isolate", false, "measure authsome run --isolate too, by CONNECT and for clients that know no proxy (Linux)")
	f.BoolVar(&s.json, "json", false, "print JSON with every round instead of the table")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	rounds, window := 5, 500*time.Millisecond
	if s.quick {
		rounds, window = 3, 150*time.Millisecond
	}
	if s.rounds == 0 {
		s.rounds = rounds
	}
	if s.window == 0 {
		s.window = window
	}
	err := s.check(f.Args())
	if err != nil {
		fmt.Fprintln(stderr, "bench: error:", err)
	}
	return s, err
}

func (s settings) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case s.rounds < 1 || s.window <= 0 || s.parallel < 1 || s.big < 1:
		return fmt.Errorf("-rounds, -window, -parallel and -big must be positive")
	}
	for _, list := range []struct {
		flag, value string
		known       []string
	}{{"-workloads", s.only, workloadNames()}, {"-peers", s.peers, peerNames()}} {
		for name := range strings.SplitSeq(list.value, ",") {
			if name != "" && !slices.Contains(list.known, name) {
				return fmt.Errorf("%s: unknown name %q; use some of %s", list.flag, name, strings.Join(list.known, ", "))
			}
		}
	}
	return nil
}

// chosen reports whether name is in a comma-separated list. An empty list contains
// every name.
func chosen(list, name string) bool {
	return list == "" || slices.Contains(strings.Split(list, ","), name)
}
