package classify

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ByHost asks the classifier of the host that answered, and otherwise when the host has none.
// It judges whose answer it is by the request's URL alone, never by anything the answer says.
//
// A host is written as in a URL: "api.example.com" stands for that host at any port, "api.example.com:8443" for that port,
// "[::1]:8443" for an IPv6 address. The case of ASCII letters and a final dot do not matter; all else is compared as it is
// written: an internationalised name in the form that the URLs have. A URL without a port has none: it does not
// match "api.example.com:443". A nil otherwise has no opinion. The error lists every host that cannot be one.
func ByHost(hosts map[string]Classifier, otherwise Classifier) (Classifier, error) {
	table, found := hostTable(hosts)
	if len(found) > 0 {
		return nil, fmt.Errorf("classify: ByHost: %w", found)
	}
	return newByHost(table, otherwise), nil
}

// hostTable returns hosts by their folded names, and the faults of hosts.
func hostTable(hosts map[string]Classifier) (map[string]Classifier, faults) {
	table := make(map[string]Classifier, len(hosts))
	var found faults
	for _, host := range slices.Sorted(maps.Keys(hosts)) {
		key := foldHost(host)
		switch {
		case !isHost(host):
			found = append(found, fmt.Errorf("host %q: want a host or host:port, as in %q", host, "api.example.com"))
		case hosts[host] == nil:
			found = append(found, fmt.Errorf("host %q has no classifier", host))
		case table[key] != nil:
			found = append(found, fmt.Errorf("host %q stands twice", host))
		}
		table[key] = hosts[host]
	}
	return table, found
}

// ForAlter returns the classifier for a client that talks to the Alter backend at the given hosts, and to any other API
// everywhere else: [NetErrors], then [Alter] or [Provider] by host. [AlterConfig.For] is the same with codes of your own.
func ForAlter(hosts ...string) (Classifier, error) {
	c, found := forAlter(&Alter{}, hosts)
	if len(found) > 0 {
		return nil, fmt.Errorf("classify: ForAlter: %w", found)
	}
	return c, nil
}

// For is [ForAlter] with cfg. The error lists every fault of cfg and of the hosts.
func (cfg AlterConfig) For(hosts ...string) (Classifier, error) {
	alter, wrong := cfg.alter()
	c, found := forAlter(alter, hosts)
	if found = append(wrong, found...); len(found) > 0 {
		return nil, fmt.Errorf("classify: AlterConfig.For: %w", found)
	}
	return c, nil
}

// forAlter returns the classifier of ForAlter with alter for the backend, and the faults of hosts.
func forAlter(alter *Alter, hosts []string) (Classifier, faults) {
	if len(hosts) == 0 {
		return nil, faults{errors.New("no host: want the hosts of the Alter backend")}
	}
	backend := make(map[string]Classifier, len(hosts))
	for _, host := range hosts {
		backend[host] = alter
	}
	table, found := hostTable(backend)
	return First(NetErrors{}, newByHost(table, Provider{})), found
}

type byHost struct {
	hosts     map[string]Classifier
	otherwise Classifier
	quiet     bool // none of them has an opinion on answers below 400
}

func newByHost(hosts map[string]Classifier, otherwise Classifier) *byHost {
	b := &byHost{hosts, First(otherwise), true}
	b.quiet = failuresOnly(b.otherwise)
	for _, c := range hosts {
		b.quiet = b.quiet && failuresOnly(c)
	}
	return b
}

func (b *byHost) Classify(o Outcome) Verdict {
	if c, ok := b.hosts[o.Host]; ok { // spelled as it is here
		return c.Classify(o)
	}
	host := foldHost(o.Host)
	if c, ok := b.hosts[host]; ok {
		return c.Classify(o)
	}
	if name, _, ok := cutPort(host); ok {
		if c, ok := b.hosts[foldHost(name)]; ok {
			return c.Classify(o)
		}
	}
	return b.otherwise.Classify(o)
}

// foldHost brings a host to lower case and drops the final dot of its name and the brackets of a bare IPv6 address.
func foldHost(host string) string {
	host = lowerASCII(host)
	name, port, _ := cutPort(host)
	switch bare, dotted := strings.CutSuffix(name, "."); {
	case port != "" && dotted:
		return bare + ":" + port
	case port != "":
		return host
	}
	return strings.TrimSuffix(strings.Trim(name, "[]"), ".")
}

// lowerASCII is host with its ASCII letters in lower case. It leaves others alone: IDNA, by which net/http finds the server,
// does not fold them as Go does, so that "\u0130d.example" is not "id.example".
func lowerASCII(host string) string {
	for i := 0; i < len(host); i++ {
		if 'A' <= host[i] && host[i] <= 'Z' {
			lower := []byte(host)
			for ; i < len(lower); i++ {
				if 'A' <= lower[i] && lower[i] <= 'Z' {
					lower[i] += 'a' - 'A'
				}
			}
			return string(lower)
		}
	}
	return host
}

// isHost reports whether host can be the host of a URL, with or without a port.
func isHost(host string) bool {
	name, port, _ := cutPort(host)
	if port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return false
		}
	}
	if !strings.Contains(name, ":") {
		return isName(strings.TrimSuffix(name, "."))
	}
	address, bracketed := strings.CutPrefix(name, "[")
	address, closed := strings.CutSuffix(address, "]")
	ip, err := netip.ParseAddr(address)
	return err == nil && bracketed == closed && (ip.Zone() == "" || isName(ip.Zone()))
}

// isName reports whether name consists of labels that DNS may know; what is not ASCII is IDNA's business.
func isName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" {
			return false
		}
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c < 0x80 && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

// cutPort splits "host:port" and "[ipv6]:port"; a bare IPv6 address has no port.
func cutPort(host string) (name, port string, ok bool) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.HasSuffix(host, "]") || strings.Contains(host[:i], ":") && !strings.HasSuffix(host[:i], "]") {
		return host, "", false
	}
	return host[:i], host[i+1:], true
}

// faults is everything that is wrong with a configuration, on one line.
type faults []error

func (f faults) Error() string {
	var b strings.Builder
	for i, err := range f {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(err.Error())
	}
	return b.String()
}

func (f faults) Unwrap() []error { return f }
