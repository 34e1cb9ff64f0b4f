// Package client calls the contactsd daemon of this machine. Everything that is
// not the daemon itself goes through it: the command line, the tray, other
// programs.
//
// The zero value finds the daemon where its default home is:
//
//	var c client.Client
//	status, err := c.Device().GetStatus(ctx, &contactsv1.GetStatusRequest{})
//
// The services and their messages are those of the schema in api/contacts/v1.
// What went wrong is told by Explain, Reason and Hint.
package client

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"

	"contactsd/api/contacts/v1/contactsv1connect"
	"contactsd/internal/home"
)

// maxAnswer bounds one answer: a page of 1000 messages of 64 KiB each.
const maxAnswer = 72 << 20

const dialTimeout = 5 * time.Second

// Client calls one daemon. Its fields are set before the first call; its methods
// may be called by any number of goroutines.
type Client struct {
	// Socket is the path of the daemon's socket. Empty: that of Home.
	Socket string
	// Home is the daemon's home directory. Empty: $CONTACTSD_HOME, else as XDG has it.
	Home string

	once sync.Once
	http *http.Client
}

// Device returns the calls about this device itself.
func (c *Client) Device() contactsv1connect.DeviceServiceClient {
	return contactsv1connect.NewDeviceServiceClient(c.transport(), baseURL, limits())
}

// Profile returns the calls about what devices tell of their users.
func (c *Client) Profile() contactsv1connect.ProfileServiceClient {
	return contactsv1connect.NewProfileServiceClient(c.transport(), baseURL, limits())
}

// Pairing returns the calls that show and enter codes.
func (c *Client) Pairing() contactsv1connect.PairingServiceClient {
	return contactsv1connect.NewPairingServiceClient(c.transport(), baseURL, limits())
}

// Contacts returns the calls about the contact list.
func (c *Client) Contacts() contactsv1connect.ContactsServiceClient {
	return contactsv1connect.NewContactsServiceClient(c.transport(), baseURL, limits())
}

// Blocklist returns the calls that tell who is blocked.
func (c *Client) Blocklist() contactsv1connect.BlocklistServiceClient {
	return contactsv1connect.NewBlocklistServiceClient(c.transport(), baseURL, limits())
}

// Checks returns the calls that check relations.
func (c *Client) Checks() contactsv1connect.ChecksServiceClient {
	return contactsv1connect.NewChecksServiceClient(c.transport(), baseURL, limits())
}

// Groups returns the calls about groups of contacts.
func (c *Client) Groups() contactsv1connect.GroupsServiceClient {
	return contactsv1connect.NewGroupsServiceClient(c.transport(), baseURL, limits())
}

// Cards returns the calls about contact cards.
func (c *Client) Cards() contactsv1connect.CardsServiceClient {
	return contactsv1connect.NewCardsServiceClient(c.transport(), baseURL, limits())
}

// Requests returns the calls about what devices ask of each other.
func (c *Client) Requests() contactsv1connect.RequestsServiceClient {
	return contactsv1connect.NewRequestsServiceClient(c.transport(), baseURL, limits())
}

// Credits returns the calls about what this device may do in a day.
func (c *Client) Credits() contactsv1connect.CreditsServiceClient {
	return contactsv1connect.NewCreditsServiceClient(c.transport(), baseURL, limits())
}

// Spam returns the calls about requests that nobody wants.
func (c *Client) Spam() contactsv1connect.SpamServiceClient {
	return contactsv1connect.NewSpamServiceClient(c.transport(), baseURL, limits())
}

// Presence returns the calls about who is there.
func (c *Client) Presence() contactsv1connect.PresenceServiceClient {
	return contactsv1connect.NewPresenceServiceClient(c.transport(), baseURL, limits())
}

// Messages returns the calls that send and read messages.
func (c *Client) Messages() contactsv1connect.MessagesServiceClient {
	return contactsv1connect.NewMessagesServiceClient(c.transport(), baseURL, limits())
}

// Files returns the calls that send and receive files.
func (c *Client) Files() contactsv1connect.FilesServiceClient {
	return contactsv1connect.NewFilesServiceClient(c.transport(), baseURL, limits())
}

// Events returns the calls that tell what changes.
func (c *Client) Events() contactsv1connect.EventsServiceClient {
	return contactsv1connect.NewEventsServiceClient(c.transport(), baseURL, limits())
}

// Page returns the call that lets a browser into the Contacts page.
func (c *Client) Page() contactsv1connect.PageServiceClient {
	return contactsv1connect.NewPageServiceClient(c.transport(), baseURL, limits())
}

// Close drops idle connections. The client can be used again.
func (c *Client) Close() { c.transport().CloseIdleConnections() }

// baseURL names a host that the daemon expects; the connection is the socket's.
const baseURL = "http://contactsd"

func limits() connect.ClientOption { return connect.WithReadMaxBytes(maxAnswer) }

func (c *Client) transport() *http.Client {
	c.once.Do(func() {
		c.http = &http.Client{Transport: &http.Transport{
			DialContext:        c.dial,
			DisableCompression: true,
		}}
	})
	return c.http
}

// dial connects to the socket. Its errors are *Unreachable, which connect wraps.
func (c *Client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	path := c.Socket
	if path == "" {
		h, err := home.Resolve(c.Home)
		if err != nil {
			return nil, &Unreachable{Err: err}
		}
		path = h.Socket
	}
	if err := home.CheckSocket(path); err != nil {
		return nil, &Unreachable{Socket: path, Err: err}
	}
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil && ctx.Err() == nil {
		return nil, &Unreachable{Socket: path, Err: err}
	}
	return conn, err
}
