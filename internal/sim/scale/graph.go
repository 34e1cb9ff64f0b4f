package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// ringOverlap is the share of a contact's contacts that are mutual if everybody on
// a ring knows all within a distance: two neighbourhoods have 3/4 in common.
const ringOverlap = 0.75

// acquaintances draws who is a contact of whom, on average so many contacts each of
// whose contacts the share overlap is mutual. People sit on a ring and know those
// within a distance with the same chance: overlap/ringOverlap. So a part of the
// ring looks like any other, however long it is. Who sits where is drawn, too, so
// that the order of ODIDs says nothing.
func acquaintances(rng *rand.Rand, devices, contacts int, overlap float64) ([][]int32, error) {
	chance := min(overlap/ringOverlap, 1)
	reach := int(float64(contacts)/chance)/2 + 1
	if least := 2*reach + 1; devices < least {
		return nil, fmt.Errorf("%d contacts with an overlap of %.0f %% take %d devices at least, not %d", contacts, 100*overlap, least, devices)
	}
	chance = float64(contacts) / float64(2*reach)
	seat := rng.Perm(devices)
	lists := make([][]int32, devices)
	for i := range devices {
		for d := 1; d <= reach; d++ {
			if rng.Float64() < chance {
				a, b := seat[i], seat[(i+d)%devices]
				lists[a] = append(lists[a], int32(b))
				lists[b] = append(lists[b], int32(a))
			}
		}
	}
	for _, l := range lists {
		slices.Sort(l)
	}
	return lists, nil
}

// everybody makes all contacts of each other.
func everybody(devices int) [][]int32 {
	lists := make([][]int32, devices)
	for i := range lists {
		for j := range devices {
			if i != j {
				lists[i] = append(lists[i], int32(j))
			}
		}
	}
	return lists
}

// overlapOf measures the share of contacts' contacts that are mutual, on a sample.
func overlapOf(rng *rand.Rand, lists [][]int32) float64 {
	mutual, all := 0, 0
	for range 200 {
		a := rng.IntN(len(lists))
		if len(lists[a]) == 0 {
			continue
		}
		for range 5 {
			b := lists[a][rng.IntN(len(lists[a]))]
			for _, c := range lists[b] {
				if int(c) == a {
					continue
				}
				all++
				if _, ok := slices.BinarySearch(lists[a], c); ok {
					mutual++
				}
			}
		}
	}
	return float64(mutual) / float64(max(all, 1))
}
