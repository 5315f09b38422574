// Bench measures what the authsome proxy costs, beside other proxies that do the
// same work, in one run on one machine.
//
// Each proxy is a process of its own; the upstream is another; the clients are in
// this one. All of them take turns in short windows, so that what disturbs the
// machine disturbs everybody, and the figure to trust is a ratio between two
// proxies within a round. It judges nothing: it prints what it measured.
//
// Its invariant: an answer only counts if the upstream saw exactly the
// credential that the proxy was to put on the request.
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

// settings are the flags.
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
	f.BoolVar(&s.quick, "quick", false, "a rough look in less than a minute: 3 rounds of 150ms, unless said otherwise")
	f.IntVar(&s.rounds, "rounds", 0, "measure each proxy `N` times (default 5)")
	f.DurationVar(&s.window, "window", 0, "measure for `DURATION` each time (default 500ms)")
	f.IntVar(&s.parallel, "parallel", 32, "`N` connections or streams in the workloads that have many")
	f.Int64Var(&s.big, "big", 1<<20, "`BYTES` of the download")
	f.StringVar(&s.only, "workloads", "", "measure only these, a comma-separated `LIST`: "+strings.Join(workloadNames(), ", "))
	f.StringVar(&s.peers, "peers", "", "measure only these, a comma-separated `LIST`: "+strings.Join(peerNames(), ", "))
	f.StringVar(&s.authsome, "authsome", "", "measure the binary at `PATH` (default: build ../cmd/authsome)")
	f.BoolVar(&s.json, "json", false, "print JSON with every round in place of the table")
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
				return fmt.Errorf("%s: %q is none of %s", list.flag, name, strings.Join(list.known, ", "))
			}
		}
	}
	return nil
}

// chosen reports whether name is in a comma-separated list; an empty list has all.
func chosen(list, name string) bool {
	return list == "" || slices.Contains(strings.Split(list, ","), name)
}
