package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/gateway/client"
)

// operatorCommand is a command that asks the admin REST.
func (c *cli) operatorCommand(cmd *cobra.Command, run func(cmd *cobra.Command, args []string, a *client.Admin, p printer) error) *cobra.Command {
	asJSON := jsonFlag(cmd)
	addSettings(cmd, operatorSettings)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := c.loadConfig(cmd)
		if err != nil {
			return err
		}
		a, err := cfg.operator()
		if err != nil {
			return err
		}
		return cfg.atAdmin().explain(run(cmd, args, a, printer{c.stdout, *asJSON}))
	}
	return cmd
}

const keyHelp = `--key is the API key itself, or, for operators, the key's id (key-…). By default
it is BIRDWIRE_KEY, else the twitter key that 'serve --dev' made.`

// resourceCommand is a command about the monitors or rules of a key: with the
// key itself at the owner's REST, with its id at the operators'.
func (c *cli) resourceCommand(cmd *cobra.Command, run func(cmd *cobra.Command, args []string, r *client.Resources, p printer) error) *cobra.Command {
	asJSON := jsonFlag(cmd)
	addSettings(cmd, append(ownerSettings, setAdmin))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := c.loadConfig(cmd)
		if err != nil {
			return err
		}
		r, at, err := cfg.resources()
		if err != nil {
			return err
		}
		return at.explain(run(cmd, args, r, printer{c.stdout, *asJSON}))
	}
	return cmd
}

func (c *config) resources() (*client.Resources, target, error) {
	key, err := c.apiKey("twitter")
	if err != nil {
		return nil, target{}, err
	}
	if isKeyID(key) {
		a, err := c.operator()
		if err != nil {
			return nil, target{}, err
		}
		return a.Of(key), c.atAdmin(), nil
	}
	owner, err := c.owner(key)
	if err != nil {
		return nil, target{}, err
	}
	return &owner.Resources, c.atPublic(), nil
}

// operator is a client of the admin REST.
func (c *config) operator() (*client.Admin, error) { return c.operatorAt(c.str("admin")) }

func (c *config) operatorAt(address string) (*client.Admin, error) {
	token := c.str("admin_token")
	if token == "" {
		read, err := client.AdminToken(c.str("data"))
		if err != nil {
			return nil, fmt.Errorf("the operators' token is needed: name the server's data folder with --data, or set %s: %w", setAdminToken.env(), err)
		}
		token = read
	}
	return client.NewAdmin(client.Config{URL: "http://" + reachable(address), Key: token, UserAgent: "birdwire", HTTP: c.patient()})
}

// owner is a client of the public address.
func (c *config) owner(key string) (*client.Client, error) {
	if isKeyID(key) {
		return nil, usagef("%s: %s is a key's id; the key itself is needed, which reads bw_… and was shown when it was made ('birdwire keys rotate %s' makes a new text)", c.origin(setKey.key), key, key)
	}
	return client.New(client.Config{URL: c.serverURL(), Key: key, UserAgent: "birdwire", HTTP: c.patient()})
}

// serverURL is where the public address is reached.
func (c *config) serverURL() string {
	if text := c.str("server"); text != "" {
		return text
	}
	scheme := "http"
	if c.str("tls.cert") != "" {
		scheme = "https"
	}
	return scheme + "://" + reachable(c.str("listen"))
}

// reachable turns an address to listen on into one to connect to.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// devKeysFile keeps the keys that 'serve --dev' made, so that the tools work
// in the next terminal with nothing pasted. 0600, in the same folder as the admin token.
const devKeysFile = "dev-keys.json"

// devKeys is by API: "twitter", "newsrank", "kite".
type devKeys map[string]devKey

type devKey struct {
	ID  string `json:"id"`
	Key string `json:"key"`
}

func readDevKeys(data string) (devKeys, error) {
	name := filepath.Join(data, devKeysFile)
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	keys := devKeys{}
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("%s: %w: delete it to have new keys made", name, err)
	}
	return keys, nil
}

// apiKey is the key to use for one of the APIs.
func (c *config) apiKey(forAPI string) (string, error) {
	if key := c.str("key"); key != "" {
		return key, nil
	}
	keys, err := readDevKeys(c.str("data"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if k := keys[forAPI]; k.Key != "" {
		return k.Key, nil
	}
	return "", usagef("an API key is needed: give --key or set %s; 'birdwire keys create' makes one, and so does 'birdwire serve --dev'", setKey.env())
}

// isKeyID says that a text names a key and is none.
func isKeyID(text string) bool { return strings.HasPrefix(text, "key-") }
