package api

import (
	"testing"

	"google.golang.org/protobuf/proto"

	contactsv1 "contactsd/api/contacts/v1"
)

func TestJSONIsStableAndComplete(t *testing.T) {
	m := &contactsv1.Message{Id: "1", Contact: "odid1", Text: "a <b> & \u202e \n"}
	const want = `{"id":"1","contact":"odid1","direction":"","kind":"","text":"a <b> & ` + "\u202e" + ` \n","state":"","waiting":"",` +
		`"sent_at":null,"delivered_at":null,"read_at":null}`
	for range 10 { // protojson's own white space differs between builds and messages
		got, err := MarshalJSON(m)
		if err != nil || string(got) != want {
			t.Fatalf("got %s, %v\nwant %s", got, err, want)
		}
		var back contactsv1.Message
		if err := UnmarshalJSON(got, &back); err != nil || !proto.Equal(&back, m) {
			t.Errorf("read back %v, %v", &back, err)
		}
	}
}

func TestUnknownNamesAreErrors(t *testing.T) {
	var m contactsv1.GetContactRequest
	if err := UnmarshalJSON([]byte(`{"contcat":"ana"}`), &m); err == nil {
		t.Error("a mistyped name is taken")
	}
}
