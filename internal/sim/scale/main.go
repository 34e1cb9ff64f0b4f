// Command scale plays the presence of thousands of light devices in one process,
// event by event, and says what it costs a device and how long news take.
//
//	go run ./internal/sim/scale [-devices N] [-only WORDS] [-seed N] [-json]
//
// A light device has contacts, connections and, for each origin that is followed,
// what presence keeps of it, and goes by the rules of presence, relation and
// message; nothing is encrypted or sent. The sizes of frames are those of the real
// encoders, what they cost a processor is measured in the same run. A test plays
// real services beside the model and compares what they send.
//
// Beacons of a sample of the devices are followed and stand for those of all: what
// becomes of one origin's news does not depend on another's. Connections, and who
// comes and goes, are those of all devices.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
)

// report is what a run prints.
type report struct {
	Costs    costs      `json:"costs"`
	Presence []Result   `json:"presence"`
	Messages []Delivery `json:"messages"`
	Missed   []string   `json:"missed"`
}

func main() {
	devices := flag.Int("devices", 5000, "light devices; the scenarios with 3,000 contacts take 10,000")
	only := flag.String("only", "", "play only scenarios whose names contain this")
	seed := flag.Uint64("seed", 1, "one seed has one outcome, but for what is measured of this machine")
	asJSON := flag.Bool("json", false, "print a JSON object")
	flag.Parse()
	r, err := playAll(*devices, *only, *seed)
	if err == nil && *asJSON {
		err = json.NewEncoder(os.Stdout).Encode(r)
	} else if err == nil {
		err = r.print(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
	if len(r.Missed) > 0 {
		os.Exit(1)
	}
}

func playAll(devices int, only string, seed uint64) (report, error) {
	costs, err := measureCosts(2000, statusText, someAddresses())
	if err != nil {
		return report{}, err
	}
	r := report{Costs: costs}
	for _, s := range scenarios(devices) {
		if !strings.Contains(s.Name, only) {
			continue
		}
		s.Seed = seed
		fmt.Fprintln(os.Stderr, "playing", s.Name)
		got, err := run(s, costs)
		if err != nil {
			return report{}, err
		}
		r.Presence = append(r.Presence, got)
		r.Missed = append(r.Missed, got.Missed...)
	}
	for _, s := range errands() {
		if strings.Contains(s.Name, only) {
			s.Seed = seed
			r.Messages = append(r.Messages, deliver(s))
		}
	}
	if len(r.Presence)+len(r.Messages) == 0 {
		return report{}, fmt.Errorf("no scenario is called %q", only)
	}
	return r, nil
}
