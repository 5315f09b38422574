package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// report is the result of a run, in the format of -json.
type report struct {
	Machine  machine        `json:"machine"`
	Settings settingsJSON   `json:"settings"`
	Results  []result       `json:"results"`
	Memory   []memoryResult `json:"memory"`
	Took     float64        `json:"took_s"`
}

type settingsJSON struct {
	Rounds   int     `json:"rounds"`
	Window   float64 `json:"window_s"`
	Parallel int     `json:"parallel"`
	Big      int64   `json:"big_bytes"`
}

func settingsOf(s settings) settingsJSON {
	return settingsJSON{Rounds: s.rounds, Window: s.window.Seconds(), Parallel: s.parallel, Big: s.big}
}

// result is the result of one workload.
type result struct {
	Workload string       `json:"workload"`
	Title    string       `json:"title"`
	Latency  string       `json:"latency"` // what it measures: "request" or "first event"
	Peers    []peerResult `json:"peers"`
}

// peerResult is the result of one peer in one workload. Times are in microseconds.
// A spread covers all rounds; a ratio is computed within each round.
type peerResult struct {
	Peer          string   `json:"peer"`
	CPUPerRequest spread   `json:"cpu_us_per_request"`
	Ratio         spread   `json:"cpu_ratio_to_lean"`
	PerSecond     spread   `json:"requests_per_second"`
	P50           spread   `json:"p50_us"`
	P99           spread   `json:"p99_us"`
	Rounds        []sample `json:"rounds"`
}

type memoryResult struct {
	Peer    string `json:"peer"`
	AtStart int64  `json:"at_start_bytes"`
	Peak    int64  `json:"peak_bytes"`
}

func memories(all []running) []memoryResult {
	var results []memoryResult
	for _, r := range all {
		if _, peak, err := memory(r.process.pid()); err == nil {
			results = append(results, memoryResult{Peer: r.name, AtStart: r.atStart, Peak: peak})
		}
	}
	return results
}

func resultOf(w workload, competitors []running, samples map[string][]sample) result {
	r := result{Workload: w.name, Title: w.title, Latency: "request"}
	if w.event {
		r.Latency = "first event"
	}
	cpu := func(s sample) float64 { return us(s.CPUPerRequest()) }
	base := floats(samples[reference], cpu)
	for _, p := range competitors {
		rounds := samples[p.name]
		r.Peers = append(r.Peers, peerResult{
			Peer:          p.name,
			CPUPerRequest: spreadOf(floats(rounds, cpu)),
			Ratio:         spreadOf(ratios(floats(rounds, cpu), base)),
			PerSecond:     spreadOf(floats(rounds, sample.PerSecond)),
			P50:           spreadOf(floats(rounds, func(s sample) float64 { return us(s.P50) })),
			P99:           spreadOf(floats(rounds, func(s sample) float64 { return us(s.P99) })),
			Rounds:        rounds,
		})
	}
	return r
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func (r report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func (r report) writeText(w io.Writer) error {
	fmt.Fprintf(w, "%s\n%d rounds of %gs for each proxy, in turn; medians over the rounds, with the lowest and highest ratio\n", r.Machine, r.Settings.Rounds, r.Settings.Window)
	for _, one := range r.Results {
		fmt.Fprintf(w, "\n%s: %s\n", one.Workload, one.Title)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		head := ""
		if one.Latency != "request" {
			head = "event "
		}
		fmt.Fprintf(t, "\tCPU µs/request\tto %s\tlow\thigh\trequests/s\t%sp50 µs\t%[2]sp99 µs\t\n", reference, head)
		for _, p := range one.Peers {
			ratio, low, high := "-", "-", "-"
			if p.Ratio.Median > 0 {
				ratio, low, high = decimals(p.Ratio.Median), decimals(p.Ratio.Min), decimals(p.Ratio.Max)
			}
			fmt.Fprintf(t, "%s\t%.1f\t%s\t%s\t%s\t%.0f\t%.0f\t%.0f\t\n",
				p.Peer, p.CPUPerRequest.Median, ratio, low, high, p.PerSecond.Median, p.P50.Median, p.P99.Median)
		}
		t.Flush()
	}
	fmt.Fprintf(w, "\nresident memory, MB\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\tat start\tpeak\t\n")
	for _, m := range r.Memory {
		fmt.Fprintf(t, "%s\t%.1f\t%.1f\t\n", m.Peer, float64(m.AtStart)/(1<<20), float64(m.Peak)/(1<<20))
	}
	t.Flush()
	_, err := fmt.Fprintf(w, "\ntook %.0fs\n", r.Took)
	return err
}

func decimals(f float64) string { return fmt.Sprintf("%.2f", f) }
