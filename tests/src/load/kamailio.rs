//! Debian's Kamailio as a presence server over WebSocket, and as a registrar and proxy over WebSocket and
//! UDP, everything in memory.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

const PROGRAM: &str = "/usr/sbin/kamailio";
const TABLES: &str = "/usr/share/kamailio/dbtext/kamailio";

/// The command that runs it in the foreground, with a configuration of our own.
pub(crate) fn command(address: SocketAddr, folder: &TempDir) -> Result<Command, String> {
    let tables = folder.path().join("tables");
    copy_tables(&tables)?;
    start(&configuration(address, &tables), folder)
}

/// The same for a registrar and forking proxy; `passwords`: a REGISTER shows the password `secret`.
pub(crate) fn proxy(
    address: SocketAddr,
    udp: SocketAddr,
    passwords: bool,
    folder: &TempDir,
) -> Result<Command, String> {
    start(&proxy_configuration(address, udp, passwords), folder)
}

fn start(text: &str, folder: &TempDir) -> Result<Command, String> {
    if !Path::new(PROGRAM).is_file() {
        return Err("kamailio is not installed: `apt-get install kamailio kamailio-presence-modules \
                    kamailio-websocket-modules`"
            .into());
    }
    let file = folder.path().join("kamailio.cfg");
    std::fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    let mut command = Command::new(PROGRAM);
    // 1.5 GB of shared memory for the large phases; only pages that are used count as memory.
    command.args(["-DD", "-E", "-x", "tlsf", "-m", "1536", "-M", "32", "-f"]).arg(&file);
    command.arg("-Y").arg(folder.path()).arg("-w").arg(folder.path());
    command.arg("-P").arg(folder.path().join("kamailio.pid"));
    Ok(command)
}

/// The presence module wants a database to ask for its tables' versions, even when it keeps all in memory.
fn copy_tables(to: &Path) -> Result<(), String> {
    let say = |e: std::io::Error| format!("{TABLES}: {e}");
    std::fs::create_dir_all(to).map_err(say)?;
    for entry in std::fs::read_dir(TABLES).map_err(say)?.flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).map_err(say)?;
    }
    Ok(())
}

fn configuration(address: SocketAddr, tables: &Path) -> String {
    let (ip, port, tables) = (address.ip(), address.port(), tables.display());
    format!(
        r#"#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
tcp_children=4
auto_aliases=no
listen=tcp:{ip}:{port}
tcp_accept_no_cl=yes
tcp_max_connections=20000
tcp_connection_lifetime=3605

loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xhttp.so"
loadmodule "nathelper.so"
loadmodule "websocket.so"
loadmodule "db_text.so"
loadmodule "presence.so"
loadmodule "presence_xml.so"

modparam("presence", "db_url", "text://{tables}")
modparam("presence", "subs_db_mode", 0)
modparam("presence", "publ_cache", 2)
modparam("presence", "clean_period", 0)
modparam("presence", "db_update_period", 0)
modparam("presence", "timeout_rm_subs", 0)
modparam("presence", "subs_htable_size", 14)
modparam("presence", "pres_htable_size", 14)
modparam("presence", "server_address", "sip:{ip}:{port};transport=ws")
modparam("presence_xml", "db_url", "text://{tables}")
modparam("presence_xml", "force_active", 1)
modparam("presence_xml", "integrated_xcap_server", 1)
modparam("websocket", "keepalive_mechanism", 0)

request_route {{
  if (is_method("PUBLISH")) {{
    handle_publish();
    exit;
  }}
  if (is_method("SUBSCRIBE")) {{
    handle_subscribe();
    exit;
  }}
  sl_send_reply("405", "Method Not Allowed");
}}

event_route[xhttp:request] {{
  set_reply_close();
  set_reply_no_connect();
  if ($hdr(Upgrade) =~ "websocket" && $hdr(Connection) =~ "Upgrade" && $rm =~ "GET") {{
    if (ws_handle_handshake()) {{
      exit;
    }}
  }}
  xhttp_reply("404", "Not Found", "", "");
}}
"#
    )
}

/// As Kamailio's own documentation has it: bindings in memory, dialogs by Record-Route, browsers by the
/// alias of their connection.
fn proxy_configuration(address: SocketAddr, udp: SocketAddr, passwords: bool) -> String {
    let challenge = if passwords {
        r#"if (!pv_www_authenticate("example.com", "secret", "0")) {
      www_challenge("example.com", "1");
      exit;
    }"#
    } else {
        ""
    };
    format!(
        r#"#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
alias="example.com"
listen=tcp:{address}
listen=udp:{udp}
tcp_accept_no_cl=yes
tcp_max_connections=20000
tcp_connection_lifetime=3605

loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "xhttp.so"
loadmodule "nathelper.so"
loadmodule "websocket.so"

modparam("usrloc", "db_mode", 0)
modparam("registrar", "received_avp", "$avp(RECEIVED)")
modparam("nathelper", "received_avp", "$avp(RECEIVED)")
modparam("websocket", "keepalive_mechanism", 0)

request_route {{
  if (!mf_process_maxfwd_header("10")) {{
    sl_send_reply("483", "Too Many Hops");
    exit;
  }}
  force_rport();
  if (proto == WS) {{
    if (is_method("REGISTER")) {{
      fix_nated_register();
    }} else if (is_method("INVITE")) {{
      add_contact_alias();
    }}
  }}
  if (is_method("CANCEL")) {{
    if (t_check_trans()) {{
      t_relay();
    }}
    exit;
  }}
  if (has_totag()) {{
    if (loose_route()) {{
      handle_ruri_alias();
      t_on_reply("BROWSER");
      t_relay();
      exit;
    }}
    if (is_method("ACK") && t_check_trans()) {{
      t_relay();
    }}
    exit;
  }}
  t_check_trans();
  if (is_method("REGISTER")) {{
    {challenge}
    save("location");
    exit;
  }}
  if (is_method("INVITE")) {{
    record_route();
  }}
  if (!lookup("location")) {{
    sl_send_reply("480", "Temporarily Unavailable");
    exit;
  }}
  t_on_reply("BROWSER");
  t_relay();
}}

onreply_route[BROWSER] {{
  if (proto == WS && is_method("INVITE")) {{
    add_contact_alias();
  }}
}}

event_route[xhttp:request] {{
  set_reply_close();
  set_reply_no_connect();
  if ($hdr(Upgrade) =~ "websocket" && $hdr(Connection) =~ "Upgrade" && $rm =~ "GET") {{
    if (ws_handle_handshake()) {{
      exit;
    }}
  }}
  xhttp_reply("404", "Not Found", "", "");
}}
"#
    )
}
