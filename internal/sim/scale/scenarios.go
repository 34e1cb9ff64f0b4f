package main

import (
	"fmt"
	"time"
)

// usual is a day's hour of people with so many contacts.
func usual(devices, contacts int, overlap float64) Scenario {
	return Scenario{
		Name:    fmt.Sprintf("%d contacts, %.0f %% mutual", contacts, 100*overlap),
		Devices: devices, Contacts: contacts, Overlap: overlap,
		Online: 0.3, Session: 2 * time.Hour, Crashes: 0.1, Changes: 2, Budget: 64,
		Tracked: 40, Warm: 90 * time.Minute, Measured: time.Hour,
	}
}

// scenarios are those of docs/scale.md.
func scenarios(devices int) []Scenario {
	many := max(devices, 10_000) // 3,000 contacts of which 30 % are mutual take so many
	var list []Scenario
	for _, contacts := range []int{10, 100, 1000} {
		s := usual(devices, contacts, 0.3)
		s.Tracked = min(400, 40_000/contacts)
		list = append(list, s)
	}
	most := usual(many, 3000, 0.3)
	most.Tracked, most.Warm, most.Measured = 20, time.Hour, 45*time.Minute
	list = append(list, most)
	ordered := usual(devices, 1000, 0.3)
	ordered.Name, ordered.InOrder, ordered.Tracked = "1000 contacts, dialled in order", true, 40
	list = append(list, ordered)
	for _, overlap := range []float64{0.1, 0.6} {
		s := usual(devices, 300, overlap)
		s.Tracked = 100
		list = append(list, s)
	}
	for _, session := range []time.Duration{20 * time.Minute, 0} {
		s := usual(devices, 300, 0.3)
		s.Session, s.Tracked = session, 100
		s.Name += fmt.Sprintf(", online for %v", session)
		if session == 0 {
			s.Name = "300 contacts, 30 % mutual, no churn"
		}
		list = append(list, s)
	}
	third := usual(devices, 200, 0.3)
	third.Name = "200 contacts there, 60 connected"
	third.Online, third.Session, third.Budget, third.Tracked, third.Warm = 1, 0, 60, 60, time.Hour
	third.Bars = []string{barReach, barCost}
	quiet := usual(many, 3000, 0.3)
	quiet.Name = "3000 contacts there, idle"
	quiet.Settled = true // else all would go through all, of whom nobody has room
	quiet.Online, quiet.Session, quiet.Changes, quiet.Tracked = 1, 0, 0, 20
	quiet.Warm, quiet.Measured = 40*time.Minute, 40*time.Minute
	quiet.Bars = []string{barIdle}
	loud := quiet
	loud.Name = "3000 contacts there, changes"
	loud.Changes, loud.Bars = 1, []string{barReach, barCost}
	return append(list, third, quiet, loud)
}
