package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// scenes are the rows of the tables.
func scenes() (all []scene) {
	for _, copies := range []bool{false, true} {
		words := "wordings of their own"
		if copies {
			words = "the same wording"
		}
		for _, paired := range []int{0, 3, 10} {
			for _, spammers := range []int{1, 10, 100} {
				all = append(all, scene{
					Name:   fmt.Sprintf("%d paired contacts, %s, %s", paired, count(spammers), words),
					Paired: paired, Spammers: spammers, Copies: copies,
				})
			}
		}
	}
	return append(all,
		scene{Name: "10 paired contacts, 2 of ten people report every stranger", Paired: 10, Colluder: 2},
		scene{Name: "10 paired contacts, 3 of ten people report every stranger", Paired: 10, Colluder: 3},
		scene{Name: "10 paired contacts, 50 others report every stranger to all", Paired: 10, Brigade: 50},
	)
}

func count(spammers int) string {
	if spammers == 1 {
		return "1 spammer"
	}
	return fmt.Sprintf("%d spammers", spammers)
}

// mean plays a scene several times.
func mean(s scene, seed uint64, runs int) (sum score) {
	for i := range runs {
		one := play(s, seed+uint64(i))
		sum.Sent += one.Sent / float64(runs)
		sum.Seen += one.Seen / float64(runs)
		sum.Held += one.Held / float64(runs)
		sum.Honest += one.Honest / float64(runs)
		sum.Hurt += one.Hurt / float64(runs)
		sum.Late += one.Late / float64(runs)
		sum.Locked += one.Locked / float64(runs)
		sum.PerSeen += one.PerSeen / float64(runs)
	}
	return sum
}

// print writes the table as docs/spam.md has it.
func print(out io.Writer, seed uint64, runs int) error {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| who\t| spam sent\t| seen\t| in quarantine\t| asks for one seen\t| honest asks\t| in quarantine\t| told to come later\t| honest devices locked\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, s := range scenes() {
		r := mean(s, seed, runs)
		perSeen := "–"
		if r.PerSeen > 0 {
			perSeen = fmt.Sprintf("%.1f", r.PerSeen)
		}
		fmt.Fprintf(w, "| %s\t| %.0f\t| %s\t| %s\t| %s\t| %.0f\t| %s\t| %s\t| %.2f\t|\n", s.Name, r.Sent, share(r.Seen, r.Sent), share(r.Held, r.Sent), perSeen,
			r.Honest, share(r.Hurt, r.Honest), share(r.Late, r.Honest), r.Locked)
	}
	return w.Flush()
}

func share(part, of float64) string {
	if of == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*part/of)
}
