package contact

import "testing"

func TestDifficulty(t *testing.T) {
	for _, tt := range []struct{ set, waiting, want int }{
		{0, 0, 0}, {0, 1000, 0}, {-1, 8, 0},
		{6, 0, 6}, {6, 7, 6}, {6, 8, 8}, {6, 15, 8}, {6, 16, 10}, {6, 31, 12}, {6, 32, 14}, {6, 10_000, 14},
		{1, 8, 3}, {12, 0, 12}, {12, 8, 14}, {12, 16, 14},
	} {
		if got := (Policy{Stamps: tt.set}).Difficulty(tt.waiting); got != tt.want {
			t.Errorf("set to %d, %d wait: %d, want %d", tt.set, tt.waiting, got, tt.want)
		}
	}
}
