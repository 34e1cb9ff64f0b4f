// Command spam plays a month of a community under spam, with the rules of package
// contact, and says how much of it people see, whom the rules hurt, and how many asks
// it takes. The tables in docs/spam.md are its output.
//
//	go run ./internal/sim/spam [-seed N] [-runs N]
//
// It is a model: people and devices are numbers, asks and reports arrive at once,
// nothing is signed or stored. What becomes of an ask is decided by contact.Admit,
// contact.Quarantined, contact.Writings and contact.Rebuked themselves; that whole
// devices do the same is tested in package node.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	seed := flag.Uint64("seed", 1, "one seed has one outcome")
	runs := flag.Int("runs", 4, "runs of each row, of which the mean is shown")
	flag.Parse()
	if *runs < 1 {
		fmt.Fprintln(os.Stderr, "spam: -runs must be at least 1")
		os.Exit(2)
	}
	if err := print(os.Stdout, *seed, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "spam:", err)
		os.Exit(1)
	}
}
