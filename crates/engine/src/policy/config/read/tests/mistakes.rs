//! What is said about each kind of mistake, to the letter: a source, and all that is found in it.

use super::assert_found;

#[test]
fn a_text_that_is_no_toml_gives_its_first_mistake() {
    assert_found(&[
        (
            r#"a = "#,
            r#"error: this is not TOML: string values must be quoted, expected literal string
  ╭─[placet.toml:1:5]
1 │ a =
  ·     ┬
"#,
        ),
        (
            r#"[servers.erp
command = ["erp"]"#,
            r#"error: this is not TOML: unclosed table, expected `]`
  ╭─[placet.toml:1:13]
1 │ [servers.erp
  ·             ┬
"#,
        ),
        (
            r#"state = "a"
state = "b""#,
            r#"error: this is not TOML: duplicate key
  ╭─[placet.toml:2:1]
2 │ state = "b"
  · ──┬──
"#,
        ),
        (
            r#"state = /var/lib/placet"#,
            r#"error: this is not TOML: string values must be quoted, expected literal string
  ╭─[placet.toml:1:9]
1 │ state = /var/lib/placet
  ·         ───────┬───────
"#,
        ),
        (
            r#"[servers.crm]
command = ["crm"]"#,
            r#"error: this is not TOML: duplicate key
  ╭─[placet.toml:3:10]
3 │ [servers.crm]
  ·          ─┬─
"#,
        ),
        (
            r#"x = [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]"#,
            r#"error: brackets are nested more than 16 deep, or not closed
  ╭─[placet.toml:1:21]
1 │ x = [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]
  ·                     ┬
"#,
        ),
    ]);
}

#[test]
fn mistakes_at_the_top() {
    assert_found(&[
        (
            r#"server = 1"#,
            r#"error: unknown key `server`
  ╭─[placet.toml:1:1]
1 │ server = 1
  · ──┬───  help: did you mean `servers`?
"#,
        ),
        (
            r#"zebra = true"#,
            r#"error: unknown key `zebra`
  ╭─[placet.toml:1:1]
1 │ zebra = true
  · ──┬──  help: its keys are version, tenant, state, reload, zone, servers, clients, agents, guards, approvers, people, budgets, trips, session, durability, payloads, fail, match, invariants, test
"#,
        ),
        (
            r#"version = 2"#,
            r#"error: version 2 of this file is not known here
  ╭─[placet.toml:1:11]
1 │ version = 2
  ·           ┬  help: this is version 1
"#,
        ),
        (
            r#"version = "1""#,
            r#"error: `version` must be a whole number, not a text
  ╭─[placet.toml:1:12]
1 │ version = "1"
  ·            ┬  help: write `version = 1`
"#,
        ),
        (
            r#"tenant = "acme""#,
            r#"error: a `tenant` other than `default` is not built yet in this version
  ╭─[placet.toml:1:11]
1 │ tenant = "acme"
  ·           ─┬──  help: run one node for each tenant until then
"#,
        ),
        (
            r#"state = 5"#,
            r#"error: `state` must be a text, not a whole number
  ╭─[placet.toml:1:9]
1 │ state = 5
  ·         ┬  help: write it in quotes
"#,
        ),
        (
            r#"state = """#,
            r#"error: `state` is empty
  ╭─[placet.toml:1:9]
1 │ state = ""
  ·         ┬─
"#,
        ),
        (
            r#"[guards]
bot = 1
[agents]
bot = 1"#,
            r#"error: the guard's key `bot` is neither a level nor a pattern
  ╭─[placet.toml:2:1]
2 │ bot = 1
  · ─┬─  help: levels are read, write, execute, delete; a pattern is `server/tool`, as in `"crm/*"`

error: `bot` must be a control, a table, or a list of tables, not a whole number
  ╭─[placet.toml:2:7]
2 │ bot = 1
  ·       ┬

error: `bot` must be a table, not a whole number
  ╭─[placet.toml:4:7]
4 │ bot = 1
  ·       ┬
"#,
        ),
        (
            r#"[[agents]]
levels = []"#,
            r#"error: `agents` must be a table, not a list of tables
  ╭─[placet.toml:1:1]
1 │ [[agents]]
  · ────┬─────
"#,
        ),
    ]);
}

#[test]
fn mistakes_about_servers() {
    assert_found(&[
        (
            r#"[servers.Erp]
command = ["erp"]"#,
            r#"error: the name `Erp` cannot be used
  ╭─[placet.toml:1:10]
1 │ [servers.Erp]
  ·          ─┬─  help: a server's name is 1 to 32 of a-z, 0-9 and `-`, beginning with a letter
"#,
        ),
        (
            r#"[servers.app]
command = ["app"]"#,
            r#"error: the name `app` is taken: it is the server of tools in our own process
  ╭─[placet.toml:1:10]
1 │ [servers.app]
  ·          ─┬─  help: call this server something else
"#,
        ),
        (
            r#"[servers.erp]
comand = ["erp"]"#,
            r#"error: server `erp` has no `command`
  ╭─[placet.toml:1:1]
1 │ [servers.erp]
  · ──────┬──────  help: say how it is started, as in `command = ["python", "server.py"]`

error: unknown key `comand` in `servers.erp`
  ╭─[placet.toml:2:1]
2 │ comand = ["erp"]
  · ──┬───  help: did you mean `command`?
"#,
        ),
        (
            r#"[servers.erp]
command = "erp""#,
            r#"error: `command` must be a list of texts, not a text
  ╭─[placet.toml:2:12]
2 │ command = "erp"
  ·            ─┬─  help: write it as a list: `command = ["erp"]`
"#,
        ),
        (
            r#"[servers.erp]
command = "python erp.py""#,
            r#"error: `command` must be a list of texts, not a text
  ╭─[placet.toml:2:12]
2 │ command = "python erp.py"
  ·            ──────┬──────  help: write it as a list: `command = ["…"]`
"#,
        ),
        (
            r#"[servers.erp]
command = []"#,
            r#"error: `command` names no program
  ╭─[placet.toml:2:11]
2 │ command = []
  ·           ┬─  help: the program comes first, as in `command = ["python", "server.py"]`
"#,
        ),
        (
            r#"[servers.erp]
command = ["python", 3]"#,
            r#"error: `command` must be a text, not a whole number
  ╭─[placet.toml:2:22]
2 │ command = ["python", 3]
  ·                      ┬  help: write it in quotes
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp", "--token=${env:ERP_TOKEN}"]"#,
            r#"warning: references are not looked up in a command: this is passed as it stands
  ╭─[placet.toml:2:20]
2 │ command = ["erp", "--token=${env:ERP_TOKEN}"]
  ·                    ───────────┬────────────  help: put it into `env`; others can read a command in the list of processes
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
env = { A = "Bearer ${evn:ERP_TOKEN}" }"#,
            r#"error: unknown kind of reference
  ╭─[placet.toml:3:21]
3 │ env = { A = "Bearer ${evn:ERP_TOKEN}" }
  ·                     ───────┬────────  help: references are `${env:NAME}` and `${file:/absolute/path}`; write `$${` for a plain `${`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
env = { A = "${env:ERP TOKEN}" }"#,
            r#"error: the reference names no variable
  ╭─[placet.toml:3:14]
3 │ env = { A = "${env:ERP TOKEN}" }
  ·              ───────┬────────  help: a variable's name is A-Z, a-z, 0-9 and `_`, not beginning with a digit
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
env = { A = "${file:erp.key}" }"#,
            r#"error: the reference names no absolute path
  ╭─[placet.toml:3:14]
3 │ env = { A = "${file:erp.key}" }
  ·              ───────┬───────  help: write the whole path, as in `${file:/run/secrets/crm}`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
env = { A = "${env:ERP" }"#,
            r#"error: the reference after `${` has no `}`
  ╭─[placet.toml:3:14]
3 │ env = { A = "${env:ERP" }
  ·              ────┬────  help: references are `${env:NAME}` and `${file:/absolute/path}`; write `$${` for a plain `${`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
env = { A = 1 }"#,
            r#"error: `A` must be a text, not a whole number
  ╭─[placet.toml:3:13]
3 │ env = { A = 1 }
  ·             ┬  help: write it in quotes
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
env = { "A=B" = "x" }"#,
            r#"error: no variable of an environment can be called `A=B`
  ╭─[placet.toml:3:10]
3 │ env = { "A=B" = "x" }
  ·          ─┬─  help: it is not empty, and has no `=` and no NUL character
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
env = { A = "a\u0000b" }"#,
            r#"error: `A` contains a NUL character
  ╭─[placet.toml:3:13]
3 │ env = { A = "a\u0000b" }
  ·             ────┬─────  help: no program can be given one
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
env = { ERP_TOKEN = "s3cr3t-and-long" }"#,
            r#"warning: `ERP_TOKEN` of server `erp`, on line 3, looks like a secret
help: keep it in a file, and write `ERP_TOKEN = "${file:/run/secrets/erp}"`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
cwd = "clinet""#,
            r#"error: unknown folder `clinet` for `cwd`
  ╭─[placet.toml:3:8]
3 │ cwd = "clinet"
  ·        ──┬───  help: did you mean `client`?
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
cwd = "./here""#,
            r#"error: unknown folder `./here` for `cwd`
  ╭─[placet.toml:3:8]
3 │ cwd = "./here"
  ·        ──┬───  help: it is node, client, or an absolute path
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
requests = ["samplign"]"#,
            r#"error: unknown word `samplign` for `requests`
  ╭─[placet.toml:3:14]
3 │ requests = ["samplign"]
  ·              ───┬────  help: did you mean `sampling`?
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
requests = "roots""#,
            r#"error: `requests` must be a list of texts, not a text
  ╭─[placet.toml:3:13]
3 │ requests = "roots"
  ·             ──┬──  help: write it as a list: `requests = ["roots"]`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
meta = [""]"#,
            r#"error: `meta` has an empty text
  ╭─[placet.toml:3:9]
3 │ meta = [""]
  ·         ┬─
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
integers = "big""#,
            r#"error: unknown word `big` for `integers`
  ╭─[placet.toml:3:13]
3 │ integers = "big"
  ·             ─┬─  help: it is one of exact, safe
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { list = "wrte" }"#,
            r#"error: unknown level `wrte`
  ╭─[placet.toml:3:19]
3 │ tools = { list = "wrte" }
  ·                   ─┬──  help: did you mean `write`? levels are read, write, execute, delete
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { list = "admin" }"#,
            r#"error: unknown level `admin`
  ╭─[placet.toml:3:19]
3 │ tools = { list = "admin" }
  ·                   ──┬──  help: levels are read, write, execute, delete
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { list = 3 }"#,
            r#"error: `list` must be a level or a table, not a whole number
  ╭─[placet.toml:3:18]
3 │ tools = { list = 3 }
  ·                  ┬
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { list = {} }"#,
            r#"error: tool `erp/list` has no `level`
  ╭─[placet.toml:3:11]
3 │ tools = { list = {} }
  ·           ─┬──  help: levels are read, write, execute, delete
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { "list all" = "read" }"#,
            r#"error: the name `list all` cannot be used
  ╭─[placet.toml:3:12]
3 │ tools = { "list all" = "read" }
  ·            ───┬────  help: a tool's name is 1 to 128 of A-Z, a-z, 0-9, `_`, `-`, `.` and `/`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { list = { level = "read", dry_run = true } }"#,
            r#"error: `dry_run` is not built yet in this version
  ╭─[placet.toml:3:36]
3 │ tools = { list = { level = "read", dry_run = true } }
  ·                                    ───┬───  help: take it out: what is not enforced must not look as if it were
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = ["list"]"#,
            r#"error: `tools` must be a table, not a list
  ╭─[placet.toml:3:9]
3 │ tools = ["list"]
  ·         ───┬────
"#,
        ),
        (
            r#"[servers.erp]
url = "https://erp.internal/mcp""#,
            r#"error: `url` is not built yet in this version
  ╭─[placet.toml:2:1]
2 │ url = "https://erp.internal/mcp"
  · ─┬─  help: only servers that are started here, with `command`, can be reached yet
"#,
        ),
        (
            r#"[servers.erp.tools]
list = "read""#,
            r#"error: server `erp` has no `command`
  ╭─[placet.toml:1:10]
1 │ [servers.erp.tools]
  ·          ─┬─  help: say how it is started, as in `command = ["python", "server.py"]`
"#,
        ),
    ]);
}

#[test]
fn mistakes_about_clients() {
    assert_found(&[
        (
            r#"[clients.c]
credential = "sha256:abababababababababababababababababababababababababababababababab"
agent = "suport"
servers = []"#,
            r#"error: unknown agent `suport`
  ╭─[placet.toml:3:10]
3 │ agent = "suport"
  ·          ──┬───  help: did you mean `support`?
"#,
        ),
        (
            r#"[clients.c]
credential = "sha256:abababababababababababababababababababababababababababababababab"
agent = "nobody-we-know"
servers = []"#,
            r#"error: unknown agent `nobody-we-know`
  ╭─[placet.toml:3:10]
3 │ agent = "nobody-we-know"
  ·          ──────┬───────  help: describe it in a table, `[agents.NAME]`
"#,
        ),
        (
            r#"[clients.c]
credential = "sha256:abababababababababababababababababababababababababababababababab"
agent = "support"
servers = ["cmr", "crm"]"#,
            r#"error: unknown server `cmr`
  ╭─[placet.toml:4:13]
4 │ servers = ["cmr", "crm"]
  ·             ─┬─  help: did you mean `crm`?
"#,
        ),
        (
            r#"[clients.c]
credential = "sha256:abababababababababababababababababababababababababababababababab"
servers = []"#,
            r#"error: client `c` has no `agent`
  ╭─[placet.toml:1:1]
1 │ [clients.c]
  · ─────┬─────  help: say whose remit it has, as in `agent = "support"`
"#,
        ),
        (
            r#"[clients.c]
credential = "sha256:abababababababababababababababababababababababababababababababab"
agent = "support""#,
            r#"warning: client `c` reaches no server
  ╭─[placet.toml:1:1]
1 │ [clients.c]
  · ─────┬─────  help: list them, as in `servers = ["crm"]`
"#,
        ),
        (
            r#"[clients.c]
agent = "support"
servers = []"#,
            r#"error: client `c` has no `credential`
  ╭─[placet.toml:1:1]
1 │ [clients.c]
  · ─────┬─────  help: `placet init` makes one
"#,
        ),
        (
            r#"[clients.c]
credential = "my secret itself"
agent = "support"
servers = []"#,
            r#"error: the `credential` of client `c`, on line 2, is not a digest
help: it is `sha256:` and 64 hexadecimal digits; `placet init` makes one
"#,
        ),
        (
            r#"[clients.c]
credential = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
agent = "support"
servers = []"#,
            r#"error: clients `c` and `desktop` have the same `credential`
   ╭─[placet.toml:12:15]
12 │ credential = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
   ·               ───────────────────────────────────┬───────────────────────────────────  help: each client has a secret of its own; `placet init` makes one
"#,
        ),
        (
            r#"[clients.c]
credential = "sha256:abababababababababababababababababababababababababababababababab"
agent = "support"
servers = []
acts_for = "ana""#,
            r#"error: `acts_for` is not built yet in this version
  ╭─[placet.toml:5:1]
5 │ acts_for = "ana"
  · ───┬────  help: take it out: it would have no effect
"#,
        ),
    ]);
}

#[test]
fn mistakes_about_agents() {
    assert_found(&[
        (
            r#"[agents.Bot]
levels = []"#,
            r#"error: the name `Bot` cannot be used
  ╭─[placet.toml:1:9]
1 │ [agents.Bot]
  ·         ─┬─  help: an agent's name is 1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter
"#,
        ),
        (
            r#"[agents.bot]
levels = "read""#,
            r#"error: `levels` must be a list of levels, not a text
  ╭─[placet.toml:2:11]
2 │ levels = "read"
  ·           ─┬──  help: write it as a list: `levels = ["read"]`
"#,
        ),
        (
            r#"[agents.bot]
levels = ["read", "delte"]"#,
            r#"error: unknown level `delte`
  ╭─[placet.toml:2:20]
2 │ levels = ["read", "delte"]
  ·                    ──┬──  help: did you mean `delete`? levels are read, write, execute, delete
"#,
        ),
        (
            r#"[agents.bot]
team = "Help Desk""#,
            r#"error: the name `Help Desk` cannot be used
  ╭─[placet.toml:2:9]
2 │ team = "Help Desk"
  ·         ────┬────  help: a team's name is 1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter
"#,
        ),
        (
            r#"[agents.bot]
allow = ["crm/refnd"]"#,
            r#"error: tool `crm/refnd` is not in the catalogue
  ╭─[placet.toml:2:11]
2 │ allow = ["crm/refnd"]
  ·           ────┬────  help: did you mean `crm/refund`?
"#,
        ),
        (
            r#"[agents.bot]
allow = ["crm/mint_money"]"#,
            r#"error: tool `crm/mint_money` is not in the catalogue
  ╭─[placet.toml:2:11]
2 │ allow = ["crm/mint_money"]
  ·           ──────┬───────  help: list it in `[servers.crm.tools]` with its level
"#,
        ),
        (
            r#"[agents.bot]
allow = ["refund"]"#,
            r#"error: `refund` is not a pattern
  ╭─[placet.toml:2:11]
2 │ allow = ["refund"]
  ·           ──┬───  help: did you mean `crm/refund`?
"#,
        ),
        (
            r#"[agents.bot]
allow = ["ledger/refund"]"#,
            r#"error: unknown server `ledger`
  ╭─[placet.toml:2:11]
2 │ allow = ["ledger/refund"]
  ·           ──────┬──────  help: describe it in a table, `[servers.NAME]`
"#,
        ),
        (
            r#"[agents.bot]
allow = ["crn/*"]"#,
            r#"error: pattern `crn/*` matches no tool of this file
  ╭─[placet.toml:2:11]
2 │ allow = ["crn/*"]
  ·           ──┬──  help: did you mean `crm/*`?
"#,
        ),
        (
            r#"[agents.bot]
allow = ["crm/pay_*"]"#,
            r#"error: pattern `crm/pay_*` matches no tool of this file
  ╭─[placet.toml:2:11]
2 │ allow = ["crm/pay_*"]
  ·           ────┬────  help: list the tool in its server's table, with its level
"#,
        ),
        (
            r#"[agents.bot]
allow = ["CRM/*", "crm/[a-z]*"]"#,
            r#"error: `CRM/*` is not a pattern
  ╭─[placet.toml:2:11]
2 │ allow = ["CRM/*", "crm/[a-z]*"]
  ·           ──┬──  help: a server's name is 1 to 32 of a-z, 0-9 and `-`, beginning with a letter

error: `crm/[a-z]*` is not a pattern
  ╭─[placet.toml:2:20]
2 │ allow = ["CRM/*", "crm/[a-z]*"]
  ·                    ────┬─────  help: no name has `[`; `*` is any run of characters, `?` is one
"#,
        ),
        (
            r#"[agents.bot]
deny = ["crm/pay_*"]"#,
            r#"warning: pattern `crm/pay_*` matches no tool of this file
  ╭─[placet.toml:2:10]
2 │ deny = ["crm/pay_*"]
  ·          ────┬────  help: it does nothing until a tool is listed that it matches
"#,
        ),
        (
            r#"[agents.bot]
deny = ["crm/refnd"]"#,
            r#"error: tool `crm/refnd` is not in the catalogue
  ╭─[placet.toml:2:10]
2 │ deny = ["crm/refnd"]
  ·          ────┬────  help: did you mean `crm/refund`?
"#,
        ),
        (
            r#"[agents.bot]
disclose = "reasons""#,
            r#"error: unknown word `reasons` for `disclose`
  ╭─[placet.toml:2:13]
2 │ disclose = "reasons"
  ·             ───┬───  help: did you mean `reason`?
"#,
        ),
        (
            r#"[agents.bot]
disclose = "everything""#,
            r#"error: unknown word `everything` for `disclose`
  ╭─[placet.toml:2:13]
2 │ disclose = "everything"
  ·             ────┬─────  help: it is one of code, reason, full
"#,
        ),
        (
            r#"[agents.bot]
observe = "yes""#,
            r#"error: `observe` must be true or false, not a text
  ╭─[placet.toml:2:12]
2 │ observe = "yes"
  ·            ─┬─
"#,
        ),
        (
            r#"[agents]
bot = ["read"]"#,
            r#"error: `bot` must be a table, not a list
  ╭─[placet.toml:2:7]
2 │ bot = ["read"]
  ·       ───┬────
"#,
        ),
    ]);
}

#[test]
fn mistakes_about_guards() {
    assert_found(&[
        (
            r#"[guards]
delte = "approval:oncall""#,
            r#"error: the guard's key `delte` is neither a level nor a pattern
  ╭─[placet.toml:2:1]
2 │ delte = "approval:oncall"
  · ──┬──  help: did you mean `delete`?
"#,
        ),
        (
            r#"[guards]
all = "approval:oncall""#,
            r#"error: the guard's key `all` is neither a level nor a pattern
  ╭─[placet.toml:2:1]
2 │ all = "approval:oncall"
  · ─┬─  help: levels are read, write, execute, delete; a pattern is `server/tool`, as in `"crm/*"`
"#,
        ),
        (
            r#"[guards]
"crm/pay_*" = "approval:oncall""#,
            r#"warning: pattern `crm/pay_*` matches no tool of this file
  ╭─[placet.toml:2:2]
2 │ "crm/pay_*" = "approval:oncall"
  ·  ────┬────  help: it does nothing until a tool is listed that it matches
"#,
        ),
        (
            r#"[guards]
"crm/refnd" = "approval:oncall""#,
            r#"error: tool `crm/refnd` is not in the catalogue
  ╭─[placet.toml:2:2]
2 │ "crm/refnd" = "approval:oncall"
  ·  ────┬────  help: did you mean `crm/refund`?
"#,
        ),
        (
            r#"[guards]
delete = "aproval:oncall""#,
            r#"error: unknown control `aproval`
  ╭─[placet.toml:2:11]
2 │ delete = "aproval:oncall"
  ·           ──────┬───────  help: did you mean `approval`? controls are `approval:<group>[:votes][:strength]`, as in `approval:finance:2`
"#,
        ),
        (
            r#"[guards]
delete = "approval:oncall:0""#,
            r#"error: unknown word `0` in an approval
  ╭─[placet.toml:2:11]
2 │ delete = "approval:oncall:0"
  ·           ────────┬────────  help: votes are 1 to 16, strengths are terminal, session and passkey, in this order
"#,
        ),
        (
            r#"[guards]
delete = "approval:oncall:paskey""#,
            r#"error: unknown word `paskey` in an approval
  ╭─[placet.toml:2:11]
2 │ delete = "approval:oncall:paskey"
  ·           ──────────┬───────────  help: did you mean `passkey`?
"#,
        ),
        (
            r#"[guards]
delete = "approval:On-Call""#,
            r#"error: the approval names no usable group
  ╭─[placet.toml:2:11]
2 │ delete = "approval:On-Call"
  ·           ───────┬────────  help: a group's name is 1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter
"#,
        ),
        (
            r#"[guards]
delete = "confirm""#,
            r#"error: control `confirm` is not built yet in this version
  ╭─[placet.toml:2:11]
2 │ delete = "confirm"
  ·           ───┬───  help: require an approval instead, as in `approval:oncall`
"#,
        ),
        (
            r#"[guards]
delete = "redact:args.to""#,
            r#"error: control `redact` is not built yet in this version
  ╭─[placet.toml:2:11]
2 │ delete = "redact:args.to"
  ·           ──────┬───────  help: require an approval instead, as in `approval:oncall`
"#,
        ),
        (
            r#"[guards]
delete = true"#,
            r#"error: `delete` must be a control, a table, or a list of tables, not a boolean
  ╭─[placet.toml:2:10]
2 │ delete = true
  ·          ─┬──
"#,
        ),
        (
            r#"[guards]
delete = []"#,
            r#"error: `delete` has an empty list of guards
  ╭─[placet.toml:2:10]
2 │ delete = []
  ·          ┬─
"#,
        ),
        (
            r#"[guards]
delete = ["approval:oncall"]"#,
            r#"error: `delete` must be a table, not a text
  ╭─[placet.toml:2:12]
2 │ delete = ["approval:oncall"]
  ·            ───────┬───────
"#,
        ),
        (
            r#"[guards]
delete = {}"#,
            r#"error: the guard has neither `require` nor `forbid`
  ╭─[placet.toml:2:10]
2 │ delete = {}
  ·          ┬─  help: say what it does, as in `require = "approval:oncall"`
"#,
        ),
        (
            r#"[guards]
delete = { require = "approval:oncall", forbid = "no" }"#,
            r#"error: a guard has either `require` or `forbid`, not both
  ╭─[placet.toml:2:41]
2 │ delete = { require = "approval:oncall", forbid = "no" }
  ·                                         ──┬───  help: `forbid` alone is the stricter of the two
"#,
        ),
        (
            r#"[guards]
delete = { require = [] }"#,
            r#"error: `require` names no control
  ╭─[placet.toml:2:22]
2 │ delete = { require = [] }
  ·                      ┬─  help: as in `require = "approval:oncall"`
"#,
        ),
        (
            r#"[guards]
delete = { forbid = " " }"#,
            r#"error: `forbid` has no words
  ╭─[placet.toml:2:22]
2 │ delete = { forbid = " " }
  ·                      ┬  help: say to the model why, as in `forbid = "customer data does not leave"`
"#,
        ),
        (
            r#"[guards]
delete = { forbid = ["no"] }"#,
            r#"error: `forbid` must be a text, not a list
  ╭─[placet.toml:2:21]
2 │ delete = { forbid = ["no"] }
  ·                     ──┬───
"#,
        ),
        (
            r#"[guards]
delete = { level = "write", forbid = "no" }"#,
            r#"error: this guard is about delete already
  ╭─[placet.toml:2:12]
2 │ delete = { level = "write", forbid = "no" }
  ·            ──┬──  help: `level` narrows a guard whose key is a pattern, as in `"crm/*"`
"#,
        ),
        (
            r#"[guards]
"crm/*" = { level = [], forbid = "no" }"#,
            r#"error: `level` names no level
  ╭─[placet.toml:2:21]
2 │ "crm/*" = { level = [], forbid = "no" }
  ·                     ┬─  help: levels are read, write, execute, delete
"#,
        ),
        (
            r#"[guards]
"crm/*" = { level = 4, forbid = "no" }"#,
            r#"error: `level` must be a level or a list of levels, not a whole number
  ╭─[placet.toml:2:21]
2 │ "crm/*" = { level = 4, forbid = "no" }
  ·                     ┬
"#,
        ),
        (
            r#"[guards]
"crm/*" = { when = "args.amount + 1 > 100", forbid = "no" }"#,
            r#"error: a condition does no arithmetic
  ╭─[placet.toml:2:33]
2 │ "crm/*" = { when = "args.amount + 1 > 100", forbid = "no" }
  ·                                 ┬  help: compare values as they are; what must be computed first can be a `[match]`
"#,
        ),
        (
            r#"[guards]
"crm/*" = { when = 'args.to like "*.example" or true', forbid = "no" }"#,
            r#"error: `&&`, `||` or nothing more is expected where `or` stands
  ╭─[placet.toml:2:46]
2 │ "crm/*" = { when = 'args.to like "*.example" or true', forbid = "no" }
  ·                                              ┬─  help: write `||`
"#,
        ),
        (
            r#"[guards]
"crm/*" = { when = "args.to like \"*.example\" or true", forbid = "no" }"#,
            r#"error: `&&`, `||` or nothing more is expected where `or` stands
  ╭─[placet.toml:2:20]
2 │ "crm/*" = { when = "args.to like \"*.example\" or true", forbid = "no" }
  ·                    ─────────────────┬──────────────────  help: write `||`
"#,
        ),
        (
            r#"[guards]
"crm/*" = { when = "", forbid = "no" }"#,
            r#"error: the condition is empty
  ╭─[placet.toml:2:20]
2 │ "crm/*" = { when = "", forbid = "no" }
  ·                    ┬─  help: say what must hold, as in `args.amount > 100`
"#,
        ),
        (
            r#"[guards]
"crm/*" = { when = true, forbid = "no" }"#,
            r#"error: `when` must be a text, not a boolean
  ╭─[placet.toml:2:20]
2 │ "crm/*" = { when = true, forbid = "no" }
  ·                    ─┬──  help: write it in quotes
"#,
        ),
        (
            r#"[guards]
"crm/*" = { for = { agent = "ops" }, forbid = "no" }"#,
            r#"error: unknown agent `ops`
  ╭─[placet.toml:2:30]
2 │ "crm/*" = { for = { agent = "ops" }, forbid = "no" }
  ·                              ─┬─  help: describe it in a table, `[agents.NAME]`
"#,
        ),
        (
            r#"[guards]
"crm/*" = { for = { team = "helpdsk" }, forbid = "no" }"#,
            r#"error: unknown team `helpdsk`
  ╭─[placet.toml:2:29]
2 │ "crm/*" = { for = { team = "helpdsk" }, forbid = "no" }
  ·                             ───┬───  help: did you mean `helpdesk`?
"#,
        ),
        (
            r#"[guards]
"crm/*" = { for = {}, forbid = "no" }"#,
            r#"error: `for` names one agent or one team
  ╭─[placet.toml:2:19]
2 │ "crm/*" = { for = {}, forbid = "no" }
  ·                   ┬─  help: as in `for = { team = "helpdesk" }`; without `for` the guard is for all
"#,
        ),
        (
            r#"[guards]
"crm/*" = { for = "support", forbid = "no" }"#,
            r#"error: `for` must be a table, not a text
  ╭─[placet.toml:2:20]
2 │ "crm/*" = { for = "support", forbid = "no" }
  ·                    ───┬───
"#,
        ),
        (
            r#"[guards]
"crm/*" = { id = "", forbid = "no" }"#,
            r#"error: the guard's `id` cannot be used
  ╭─[placet.toml:2:18]
2 │ "crm/*" = { id = "", forbid = "no" }
  ·                  ┬─  help: it is 1 to 128 characters on one line, all of them visible
"#,
        ),
        (
            r#"[guards]
"crm/*" = [{ id = "a", forbid = "no" }, { id = "a", forbid = "no" }]"#,
            r#"error: two guards have the id `a`
  ╭─[placet.toml:2:49]
2 │ "crm/*" = [{ id = "a", forbid = "no" }, { id = "a", forbid = "no" }]
  ·                                                 ┬  help: an id is one guard's alone
"#,
        ),
    ]);
}

#[test]
fn mistakes_about_approvers() {
    assert_found(&[
        (
            r#"[approvers.oncall]
expires = "1 hour""#,
            r#"error: `1 hour` is not a length of time that can be used
  ╭─[placet.toml:2:12]
2 │ expires = "1 hour"
  ·            ──┬───  help: write a number and a unit, as in 90s, 30m, 1h, 7d; at most 365d
"#,
        ),
        (
            r#"[approvers.oncall]
expires = "0s""#,
            r#"error: `0s` is not a length of time that can be used
  ╭─[placet.toml:2:12]
2 │ expires = "0s"
  ·            ┬─  help: write a number and a unit, as in 90s, 30m, 1h, 7d; at most 365d
"#,
        ),
        (
            r#"[approvers.oncall]
expires = 3600"#,
            r#"error: `expires` must be a length of time, as in `"1h"`, not a whole number
  ╭─[placet.toml:2:11]
2 │ expires = 3600
  ·           ─┬──
"#,
        ),
        (
            r#"[approvers.oncall]
strength = "paskey""#,
            r#"error: unknown word `paskey` for `strength`
  ╭─[placet.toml:2:13]
2 │ strength = "paskey"
  ·             ──┬───  help: did you mean `passkey`?
"#,
        ),
        (
            r#"[approvers.OnCall]"#,
            r#"error: the name `OnCall` cannot be used
  ╭─[placet.toml:1:12]
1 │ [approvers.OnCall]
  ·            ──┬───  help: a group's name is 1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter
"#,
        ),
    ]);
}

#[test]
fn foreign_text_in_a_mistake_is_inert() {
    assert_found(&[
        (
            r#""\u202e\u001b[31m" = 1"#,
            r#"error: unknown key `\u{202e}\u{1b}[31m`
  ╭─[placet.toml:1:1]
1 │ "\u202e\u001b[31m" = 1
  · ────────┬─────────  help: its keys are version, tenant, state, reload, zone, servers, clients, agents, guards, approvers, people, budgets, trips, session, durability, payloads, fail, match, invariants, test
"#,
        ),
        (
            r#"[agents.bot]
allow = ["crm/\u202erefund"]"#,
            r#"error: `crm/\u{202e}refund` is not a pattern
  ╭─[placet.toml:2:10]
2 │ allow = ["crm/\u202erefund"]
  ·          ────────┬─────────  help: a tool's name is 1 to 128 of A-Z, a-z, 0-9, `_`, `-`, `.` and `/`
"#,
        ),
    ]);
}
