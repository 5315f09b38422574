package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/internal/audit"
)

// checkVerify returns an error if a flag that selects or shows lines was given with
// --verify, which checks the whole log.
func checkVerify(cmd *cobra.Command) error {
	if cmd.Flags().Changed("jsonl") {
		return exit.Usagef("--verify does not show lines; use it with --json instead of --jsonl")
	}
	for _, name := range []string{"lines", "follow", "provider", "event", "since", "run"} {
		if cmd.Flags().Changed(name) {
			return exit.WithCommand(exit.Usagef("--verify checks the whole log, so --%s has no effect", name), "log --verify")
		}
	}
	return nil
}

func verifyLog(ctx context.Context, a *app) error {
	h, err := a.home()
	if err != nil {
		return err
	}
	keys, err := a.opener().AuditKeys(ctx)
	if err != nil {
		return err
	}
	r, err := audit.Verify(h.AuditPath(), keys)
	if err != nil {
		return err
	}
	broken := len(r.Problems) > 0
	if a.JSON {
		if err := a.PrintJSON(viewReport(r)); err != nil || !broken {
			return err
		}
		return exit.CodeError(exit.Error)
	}
	a.Printf("%s in %s\n", show.Plural(r.Lines, "line"), show.Plural(r.Chains, "chain"))
	for _, c := range r.Open {
		a.Printf("open: run %s, %s, last at %s: it is still running, was killed, or its last lines were removed\n",
			c.Run, show.Plural(int(c.Last.Seq), "line"), c.Last.Time.Local().Format(time.DateTime))
	}
	for _, c := range r.Cut {
		a.Printf("cut: run %s lacks its first %s: the log has deleted their archive to limit its size\n", c.Run, show.Plural(int(c.First.Seq-1), "line"))
	}
	for _, p := range r.Torn {
		a.Printf("torn: %s: the end of an interrupted write\n", p)
	}
	if r.Unsealed > 0 {
		a.Printf("not sealed: %s at the beginning, which another program wrote and nothing protects\n", show.Plural(r.Unsealed, "line"))
	}
	for _, p := range r.Problems {
		a.Printf("problem: %s\n", p)
	}
	if broken {
		return errors.New("the audit log was changed: " + show.Plural(len(r.Problems), "problem"))
	}
	if r.Unsealed > 0 {
		a.Printf("no sealed line was changed\n")
		return nil
	}
	a.Printf("no line was changed\n")
	return nil
}

type (
	reportView struct {
		OK       bool          `json:"ok"`
		Lines    int           `json:"lines"`
		Chains   int           `json:"chains"`
		Open     []chainView   `json:"open"`
		Cut      []cutView     `json:"cut"`
		Unsealed int           `json:"unsealed"`
		Torn     []placeView   `json:"torn"`
		Problems []problemView `json:"problems"`
	}
	chainView struct {
		Run   string    `json:"run"`
		Lines int64     `json:"lines"`
		Last  time.Time `json:"last"`
	}
	cutView struct {
		Run     string `json:"run"`
		Missing int64  `json:"missing"`
	}
	placeView struct {
		File string `json:"file"`
		Line int    `json:"line"`
	}
	problemView struct {
		File   string `json:"file"`
		Line   int    `json:"line"`
		Run    string `json:"run"`
		Seq    int64  `json:"seq"`
		Reason string `json:"reason"`
	}
)

func viewReport(r audit.Report) reportView {
	v := reportView{
		OK: len(r.Problems) == 0, Lines: r.Lines, Chains: r.Chains, Unsealed: r.Unsealed,
		Open: []chainView{}, Cut: []cutView{}, Torn: []placeView{}, Problems: []problemView{},
	}
	for _, c := range r.Open {
		v.Open = append(v.Open, chainView{c.Run, c.Last.Seq, c.Last.Time})
	}
	for _, c := range r.Cut {
		v.Cut = append(v.Cut, cutView{c.Run, c.First.Seq - 1})
	}
	for _, p := range r.Torn {
		v.Torn = append(v.Torn, placeView{p.File, p.Number})
	}
	for _, p := range r.Problems {
		v.Problems = append(v.Problems, problemView{p.Where.File, p.Where.Number, p.Run, p.Seq, p.Reason})
	}
	return v
}
