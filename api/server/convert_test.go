package server

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"contactsd/api"
	"contactsd/message"
	"contactsd/presence"
)

// A contact claims times of its own. JSON has none before the year 1 or after
// 9999, and one that can't be written would take the whole list with it.
func TestNoTimeThatAContactClaimsBreaksAnAnswer(t *testing.T) {
	for _, claimed := range []time.Time{
		time.UnixMilli(1 << 53),
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Time{}.AddDate(-200, 0, 0),
	} {
		for _, m := range []proto.Message{
			messageOf(message.Message{SentAt: claimed}),
			presenceOf(presence.Presence{Since: claimed}),
		} {
			if _, err := api.MarshalJSON(m); err != nil {
				t.Errorf("%v: %v", claimed, err)
			}
		}
	}
	if got := stamp(time.UnixMilli(1)); got.AsTime() != time.UnixMilli(1).UTC() {
		t.Errorf("an honest time became %v", got)
	}
}
