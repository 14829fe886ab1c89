package transport

import (
	"cmp"
	"context"
	"math/bits"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/steadytrip/steadytrip/classify"
)

// Keys name what calls share, from the request. Both functions may be nil and must be safe for concurrent use; a request
// without URL is not shown to them. An empty name means that the request does not tell.
type Keys struct {
	// Key names what a breaker and a retry budget belong to, such as a tenant or an API family.
	// Without a name they belong to the server: scheme, host and port of the URL. The breaker of a policy's refusal
	// then belongs to the grant or to the policy, rather than to all of the server, where either is known: the grant that the
	// caller names, else the policy that the answer names, else the grant that the answer names.
	Key func(req *http.Request) string

	// Grant names the grant that a request is about, by the id that the server knows it by, for the gate and for the breaker of a policy's refusal.
	// Without a name it is that of [ForGrant], and failing that, the one that the answer names.
	Grant func(req *http.Request) string
}

// ForGrant marks the requests of a context as being about this grant. So they need not ask a server in order to find out
// that the grant's token is being refreshed, or that its policy is exhausted, when another call knows.
func ForGrant(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, grantKey{}, id)
}

// GrantOf returns the grant that [ForGrant] said the requests of a context are about; empty if it said nothing.
func GrantOf(ctx context.Context) string {
	id, _ := ctx.Value(grantKey{}).(string)
	return id
}

type grantKey struct{}

// Key names what calls share: something of the user's own, or a server, or a grant or a policy of a server.
type Key struct {
	Own    string // what [Keys].Key named; the other fields are then empty
	Server string // scheme, host and port, such as "https://api.example.com"
	Grant  string // of the server; empty for all of it, and for a policy
	Policy string // of the server; empty for all of it, and for a grant
}

// String returns the name that hooks are told, and that [Shared.ForceOpen] and its like take.
func (k Key) String() string {
	switch {
	case k.Grant != "":
		return k.Server + " grant " + k.Grant
	case k.Policy != "":
		return k.Server + " policy " + k.Policy
	}
	return k.Own + k.Server
}

// compare orders keys by their names.
func (k Key) compare(l Key) int {
	return cmp.Or(cmp.Compare(k.Own+k.Server, l.Own+l.Server), cmp.Compare(k.Policy, l.Policy), cmp.Compare(k.Grant, l.Grant))
}

// keyOf returns the key of a name. A name that is not spelled as a server's or its part's is a user's own.
func keyOf(name string) Key {
	server, part, _ := strings.Cut(name, " ")
	scheme, host, _ := strings.Cut(server, "://")
	if scheme != "http" && scheme != "https" || host == "" || strings.ContainsAny(host, "/?#@\\") {
		return Key{Own: name}
	}
	k := Key{Server: server}
	switch what, id, _ := strings.Cut(part, " "); what {
	case "grant":
		k.Grant = id
	case "policy":
		k.Policy = id
	}
	if k.String() != name {
		return Key{Own: name}
	}
	return k
}

// key names what is shared between calls. A struct, so that the usual key, a host, costs no allocation.
type key struct {
	scheme string // empty for a key of the user's own
	name   string
	part   string // of the server: a grant or a policy; empty for all of it
	sort   sort   // what the part is
}

// quickHash is a hash of a key's name and part that costs next to nothing: of their beginnings and ends. Many keys may share one.
func quickHash(name, part string) uint64 {
	const odd = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio
	h := (ends(name)*odd ^ ends(part)) * odd
	return h >> 56 // the bits that all others have mixed into
}

// ends mixes the first and the last eight bytes of s.
func ends(s string) uint64 {
	n := len(s)
	if n < 8 {
		h := uint64(n)
		for i := range n {
			h = h<<8 | uint64(s[i])
		}
		return h
	}
	return eight(s[:8]) ^ bits.RotateLeft64(eight(s[n-8:]), 29) + uint64(n)
}

func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// sort says what a part of a server is.
type sort uint8

const (
	whole sort = iota
	ofGrant
	ofPolicy
)

func (k key) String() string { return k.public().String() }

// public returns the key as others get to see it.
func (k key) public() Key {
	if k.scheme == "" {
		return Key{Own: k.name}
	}
	p := Key{Server: k.scheme + "://" + k.name}
	switch k.sort {
	case ofGrant:
		p.Grant = k.part
	case ofPolicy:
		p.Policy = k.part
	case whole:
	}
	return p
}

// of returns the key of a part of a server.
func (k key) of(s sort, part string) key {
	k.sort, k.part = s, part
	return k
}

// own is the user's key of a request; ok is false if there is none.
func (ks *Keys) own(req *http.Request) (k key, ok bool) {
	if ks.Key == nil || req.URL == nil { // no transport sends a request without URL
		return key{}, false
	}
	name := ks.Key(req)
	return key{name: name}, name != ""
}

// grant is the grant that the caller says a request is about; empty if nobody says.
func (ks *Keys) grant(req *http.Request) string {
	if ks.Grant != nil && req.URL != nil {
		if id := ks.Grant(req); id != "" {
			return id
		}
	}
	return GrantOf(req.Context())
}

// gate is the key of the gate that a request belongs to; v is the verdict of its last answer, if there was one.
// What the answer names is copied: its texts are in one piece, and a key may be kept for long.
// The caller's word goes first, so that calls that start and calls that have been answered meet at the same gate.
// ok is false if nobody knows the grant: calls on different grants must not wait for each other.
func (ks *Keys) gate(req *http.Request, v classify.Verdict) (k key, ok bool) {
	id := ks.grant(req)
	if id == "" && v.Detail != nil {
		id = strings.Clone(v.Detail.GrantID)
	}
	if id == "" {
		return key{}, false
	}
	return hostKey(req).of(ofGrant, id), true
}

// before are the keys of the breakers that a request is known to belong to before it is sent.
func (ks *Keys) before(req *http.Request) (keys [3]key, n int) {
	n = ks.fill(&keys, req)
	return keys, n
}

// fill puts the keys of before where they are wanted, so that so much is not copied.
func (ks *Keys) fill(keys *[3]key, req *http.Request) (n int) {
	if k, ok := ks.own(req); ok {
		keys[0] = k
		return 1
	}
	keys[0], n = hostKey(req), 1
	if id := ks.grant(req); id != "" {
		keys[n] = keys[0].of(ofGrant, id)
		n++
	}
	if policy := learned(req.Context()); policy != "" {
		keys[n] = keys[0].of(ofPolicy, policy)
		n++
	}
	return n
}

// after is the key of the breaker that a failure is about. What the answer names is copied, as for gate.
func (ks *Keys) after(req *http.Request, v classify.Verdict) key {
	if k, ok := ks.own(req); ok {
		return k
	}
	k := hostKey(req)
	if v.Action() != classify.Wait { // no refusal, but trouble of the server
		return k
	}
	if id := ks.grant(req); id != "" {
		return k.of(ofGrant, id)
	}
	if name := policyOf(v); name != "" {
		return k.of(ofPolicy, strings.Clone(name))
	}
	if id := grantOf(v); id != "" {
		return k.of(ofGrant, strings.Clone(id))
	}
	return k
}

// policyOf is the policy that an answer names as the one that is used up; empty if it names none.
func policyOf(v classify.Verdict) string {
	if v.Action() != classify.Wait || v.Detail == nil || v.Detail.RateLimit == nil || v.Detail.RateLimit.Remaining > 0 {
		return ""
	}
	return v.Detail.RateLimit.Policy
}

// exactHostKey is the server that a request goes to, as its URL spells it.
func exactHostKey(req *http.Request) key {
	if req.URL == nil {
		return key{}
	}
	return key{scheme: req.URL.Scheme, name: req.URL.Host}
}

// hostKey is the server that a request goes to: scheme, lower-case host and port, the scheme's own port left out.
// It looks at the URL, not at the Host header.
func hostKey(req *http.Request) key { return exactHostKey(req).canonical() }

// lower is s in lower case; a name that is not ASCII stays as it is. IDNA, by which net/http finds the server, does not fold as Go does:
// "\u0130d.example" is another server than "id.example", and must not open its breaker.
func lower(s string) string {
	upper := false
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return s
		}
		upper = upper || 'A' <= s[i] && s[i] <= 'Z'
	}
	if !upper {
		return s
	}
	return strings.ToLower(s)
}

// plain reports whether a server's name is seen to be in its usual spelling: no letter to fold, no port and no dot at its end.
func plain(name string) bool {
	for i := range len(name) {
		if c := name[i]; ':' <= c && c <= 'Z' { // what is in between is no part of a host
			return false
		}
	}
	return name != "" && name[len(name)-1] != '.'
}

// canonical is the usual spelling of a server's key; a user's own key is what it is.
func (k key) canonical() key {
	switch {
	case k.scheme == "":
		return k
	case (k.scheme == "https" || k.scheme == "http") && plain(k.name):
		return key{scheme: k.scheme, name: k.name}
	}
	scheme, name := lower(k.scheme), lower(k.name)
	host, port := name, ""
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		host, port = name[:i], name[i:]
	}
	if port == ":" || scheme == "http" && port == ":80" || scheme == "https" && port == ":443" {
		name, port = host, ""
	}
	if bare, ok := strings.CutSuffix(host, "."); ok {
		name = bare + port
	}
	return key{scheme: scheme, name: name}
}
