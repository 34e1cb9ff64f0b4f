package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// print writes tables for people; the last line says how it went.
func (r report) print(out io.Writer) error {
	tables := []struct {
		head string
		row  func(Result) string
	}{
		{"until it is known\tdevices\toverlap\tmedian\tp99\tlast\tlast p99\treached\tnear\tright\ttimes once", func(x Result) string {
			return fmt.Sprintf("%d\t%.2f\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", x.Devices, x.Overlapped,
				seconds(x.Median, x), seconds(x.P99, x), seconds(x.Last, x), seconds(x.LastP99, x),
				followed(x.Reached, x), followed(x.Near, x), percent(x.Right), times(x.PerChange))
		}},
		{"bytes a device-hour\tkeep-alive\tkeys\tinterest\tdigests\tbeacons\tsum\tframes\ta minute, a link", func(x Result) string {
			var s string
			for _, name := range categoryNames {
				s += amount(x.BytesBy[name]) + "\t"
			}
			return s + fmt.Sprintf("%s\t%.0f\t%.0f B", amount(x.Bytes), x.Frames, x.PerLink)
		}},
		{"connections\tmean\tmost\tmade an hour\tdials an hour\tin vain\tCPU an hour\ttook", func(x Result) string {
			return fmt.Sprintf("%.1f\t%d\t%.0f\t%.0f\t%.0f\t%.2f s\t%.0f s", x.Links, x.Most, x.Meetings, x.Dials, x.InVain, x.CPU, x.Took)
		}},
	}
	for _, t := range tables {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, t.head)
		for _, x := range r.Presence {
			fmt.Fprintf(w, "%s\t%s\n", x.Name, t.row(x))
		}
		fmt.Fprintln(w)
		if err := w.Flush(); err != nil {
			return err
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "messages a device-hour\tsent\tdelivered\tmedian\tp99\tattempts\tdials\tin vain\tbytes\tframes")
	for _, m := range r.Messages {
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.1f s\t%.0f s\t%.1f\t%.1f\t%.1f\t%s\t%.0f\n", m.Name, m.Sent, m.Delivered, m.Median, m.P99, m.Attempts, m.Dials, m.InVain, amount(m.Bytes), m.Frames)
	}
	c := r.Costs
	fmt.Fprintf(w, "\na beacon: made in %v, taken in %v; a frame with one %v, with a claim %v; naming a topic %v\n", c.Mint, c.Take, c.Frame, c.Small, c.Name)
	for _, m := range r.Missed {
		fmt.Fprintln(w, "missed:", m)
	}
	bars := 0
	for _, x := range r.Presence {
		bars += len(x.Bars)
	}
	fmt.Fprintf(w, "%d scenarios, %d of %d bars kept\n", len(r.Presence)+len(r.Messages), bars-len(r.Missed), bars)
	return w.Flush()
}

// seconds, followed and times leave out what was not measured.
func seconds(s float64, x Result) string {
	if x.Changes == 0 {
		return "-"
	}
	return time.Duration(s * float64(time.Second)).Round(10 * time.Millisecond).String()
}

func followed(v float64, x Result) string {
	if x.Changes == 0 {
		return "-"
	}
	return percent(v)
}

func percent(v float64) string { return fmt.Sprintf("%.2f %%", 100*v) }

func times(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", v)
}

func amount(bytes float64) string {
	switch {
	case bytes >= 1e6:
		return fmt.Sprintf("%.1f MB", bytes/1e6)
	case bytes >= 1e3:
		return fmt.Sprintf("%.1f kB", bytes/1e3)
	}
	return fmt.Sprintf("%.0f B", bytes)
}
