package arch

import "github.com/birdwire/birdwire/testkit/simvet"

// module is what every path below is relative to.
const module = "github.com/birdwire/birdwire"

// top is what is at the repository's top, besides dotfiles.
var top = []string{
	"CHANGELOG.md", "LICENSE", "README.md", "actors", "cluster", "cmd", "gateway", "go.mod", "go.sum", "messages", "testkit",
}

// Patterns name packages by path: "*" is one element, a last "**" is
// any number, also none. {K} is one element and means the same one in
// the importer and in what it may import.

// importRow says what of this module the importer may import. The first row
// that fits the importer decides.
type importRow struct {
	importer string
	may      []string
	why      string
}

var imports = []importRow{
	{"messages", nil, "the nouns know nobody: everything else may then know them"},
	{"actors", []string{"messages"}, "the shared ports and the actor map are above every actor"},
	{"actors/engine/{K}/**", []string{"messages", "actors/engine/**"}, "an engine that several actors use knows no actor"},
	{"actors/source/{K}", []string{"messages", "actors", "actors/engine/**", "actors/source", "actors/source/{K}/**"}, "an adapter serves its source and knows no other actor"},
	{"actors/{K}", []string{"messages", "actors", "actors/engine/**", "actors/{K}/**"}, "an actor knows the nouns, the ports and its own engines; others it knows by message"},
	{"actors/{K}/**", []string{"messages", "actors/engine/**", "actors/{K}/**"}, "an engine is a plain library under one actor; its siblings it knows one way, which the compiler sees to"},
	{"cluster/store/**", []string{"messages", "cluster/store/**"}, "the store keeps what it is given and knows neither actors nor nodes"},
	{"cluster/node/**", []string{"messages", "actors/**", "cluster/**", "gateway", "gateway/ws/**", "gateway/dialect/**", "gateway/rest/**", "gateway/admin/**", "gateway/console/**"}, "the composition root wires everything but what only clients and tests use"},
	{"cluster/runtime/**", []string{"messages", "actors"}, "what runs actors on a real machine serves their ports and knows no actor"},
	{"cluster/assembly/**", []string{"messages", "actors/**", "cluster/placement/**", "cluster/membership", "cluster/store", "cluster/link", "gateway"}, "a node's actors are made from ports, so that a simulation runs the product"},
	{"cluster/{K}/**", []string{"messages", "cluster/**"}, "what nodes share does not know what runs on them"},
	{"gateway/client/**", []string{"messages"}, "the SDK is what others compile in: it drags nothing of the server along"},
	{"gateway/**", []string{"messages", "gateway", "gateway/ws/**", "gateway/dialect/**", "gateway/rest/**", "gateway/admin/**", "gateway/console/**"}, "the gateway speaks through ports it declares itself; cluster/node connects them"},
	{"cmd/birdwire/**", []string{"cluster/node", "cluster/certs", "gateway/client", "testkit/sim", "testkit/sim/judge", "cmd/birdwire/**"}, "a command starts a node, is a client of one or makes the files that one reads; what else it needs belongs into them"},
	{"cmd/dev/mutants", []string{"testkit/sim"}, "it plays simulations of the product with a bug in it, and knows nothing else of either"},
	{"cmd/dev/**", []string{"messages", "actors/**", "cmd/dev/**"}, "what engineers make parts of the product with uses the engines that it makes them for"},
	{"testkit/arch", []string{"testkit/**"}, "the checks read the code and use none of it"},
	{"testkit/sim/judge", nil, "what must hold is said of plain records, so that real processes are judged as the simulation is"},
	{"testkit/sim/**", []string{"messages", "actors/**", "cluster/placement/**", "cluster/store/**", "cluster/membership", "cluster/link", "cluster/runtime", "cluster/assembly", "gateway/**", "testkit/**"}, "a simulation runs the product, and has its own world around it"},
	{"testkit/simvet", nil, "it reads code and uses none of it"},
	{"testkit/{K}/**", []string{"testkit/**"}, "the kit is for anybody's actors"},
	{"testkit", nil, "the kit is for anybody's actors: what a node needs is given to it"},
}

// fence says where a vendor may be named. in lists the packages that may name
// it; where in is nil, all may but those of never.
type fence struct {
	vendor    string
	in, never []string
	why       string
}

var fences = []fence{
	{vendor: "github.com/lxzan/gws", in: []string{"gateway/ws"}, why: "its traps (a frame that panics, unbounded queues, allocation before data) are dealt with in one place"},
	{vendor: "github.com/hashicorp/memberlist", in: []string{"cluster/membership/**"}, why: "everyone else sees views, which a simulation can model"},
	{vendor: "github.com/nats-io", in: []string{"cluster/store/nats"}, why: "everyone else sees the store's contracts, which memory holds too"},
	{vendor: "google.golang.org/grpc", in: []string{"cluster/link/**"}, why: "actors tell PIDs; how messages travel is the link's"},
	{vendor: actorPackage, never: []string{"messages", "cluster/store/**", "gateway/dialect/**", "gateway/client/**", "cmd/**"}, why: "codecs, stores and the SDK are used without an actor system"},
	{vendor: "github.com/asynkron/protoactor-go/cluster", in: []string{}, why: "failover takes seconds, and a false suspicion activates an identity twice for good"},
	{vendor: "github.com/asynkron/protoactor-go/remote", in: []string{}, why: "it has no back-pressure, and an unknown type ends the receiver"},
	{vendor: "github.com/asynkron/protoactor-go/router", in: []string{}, why: "its pools hide the mailbox that the node's props set"},
}

const actorPackage = "github.com/asynkron/protoactor-go/actor"

// adapters own sockets and the goroutines that serve them.
const adapters = "actors/source/*"

// simulated are the packages whose code a simulation runs: package simvet's rules
// hold in them.
var simulated = []string{"./actors/...", "./cluster/assembly/..."}

// excepted are the rules of simvet that a package needs not keep.
var excepted = map[string][]string{adapters: {simvet.Goroutine.ID, simvet.Lock.ID}}

// banEngine holds for packages under an actor.
var banEngine = struct {
	rule, why string
	except    []string
}{
	rule: "engines are plain libraries", except: []string{adapters},
	why: "what has no actor, socket or process in it can be fuzzed, benchmarked and checked against an oracle",
}

// engineBans are imports that no engine has.
var engineBans = []string{actorPackage, "net", "net/http", "os", "os/exec", "syscall"}
