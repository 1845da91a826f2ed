"""A token server: who asks here is given what registries accept."""

import base64
import json
import time
from urllib.parse import parse_qs

from lib.server import Reply, Server


def _base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class TokenServer(Server):
    """Signs RS256 tokens as Distribution's registry wants them, and guards a
    Faulty registry itself."""

    def __init__(self, signer, service="registry.test", accounts=None, lifetime=300,
                 is_anonymous_allowed=True, key="token"):
        super().__init__()
        self.signer = signer                # a Certificate
        self.service = service
        self.accounts = accounts or {}      # name -> password
        self.refresh_tokens = {}            # identity token -> name
        self.lifetime = lifetime
        self.is_anonymous_allowed = is_anonymous_allowed
        self.key = key                      # "token" or "access_token"
        self.status = 200                   # or what to refuse everybody with
        self.before = None                  # a Gate
        self.granted = []                   # (account or None, scope)
        self._issued = {}                   # token -> (scopes, expires at)

    @property
    def issuer(self):
        return "tests"

    # ---- handing out ---------------------------------------------------------

    def answer(self, request, line):
        if self.before:
            self.before.pass_through()
        self.send_reply(request, line, self._grant(request))

    def _grant(self, request):
        account, is_known = self._account(request)
        if self.status != 200:
            return Reply(self.status)
        if not is_known or (account is None and not self.is_anonymous_allowed):
            return Reply(401, {"WWW-Authenticate": 'Basic realm="tokens"'})
        scope = request.query.get("scope") or _form(request).get("scope", "")
        self.granted.append((account, scope))
        token = self._sign(account, scope)
        self._issued[token] = (scope.split(), time.time() + self.lifetime)
        return Reply(200, {"Content-Type": "application/json"}, json.dumps(
            {self.key: token, "expires_in": self.lifetime,
             "issued_at": _rfc3339(time.time())}).encode())

    def _account(self, request):
        """(name, is known); (None, True) for nobody in particular."""
        header = request["Authorization"]
        if header is None:
            form = _form(request)
            if "refresh_token" in form:
                name = self.refresh_tokens.get(form["refresh_token"])
                return name, name is not None
            if "username" not in form:
                return None, True
            name, password = form["username"], form.get("password")
        else:
            kind, _, text = header.partition(" ")
            assert kind.lower() == "basic", header
            name, _, password = base64.b64decode(text).decode().partition(":")
        return name, self.accounts.get(name) == password

    def _sign(self, account, scope):
        head = {"typ": "JWT", "alg": "RS256",
                "x5c": [base64.b64encode(self.signer.der()).decode()]}
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": account or "", "aud": self.service,
                  "exp": now + self.lifetime, "nbf": now - 10, "iat": now,
                  "jti": f"{len(self.granted)}", "access": [_access(scope)] if scope else []}
        text = ".".join(_base64url(json.dumps(part).encode()) for part in (head, claims))
        return f"{text}.{_base64url(self.signer.sign(text.encode()))}"

    # ---- guarding ------------------------------------------------------------

    def guard(self, request):
        """For Faulty: a 401 with the challenge, unless a good token came."""
        repository = "/".join(request.path.split("/")[2:-2])
        wanted = f"repository:{repository}:pull"
        kind, _, token = (request["Authorization"] or "").partition(" ")
        scopes, expires_at = self._issued.get(token, ((), 0))
        if kind == "Bearer" and wanted in scopes and expires_at > time.time():
            return None
        return Reply(401, {"WWW-Authenticate": self.challenge(wanted)})

    def challenge(self, scope):
        return f'Bearer realm="{self.url}/token",service="{self.service}",scope="{scope}"'

    def expire_all(self):
        """As if every token's time had run out."""
        self._issued.clear()


def _form(request):
    return {key: values[0] for key, values in parse_qs(request.body.decode()).items()}


def _access(scope):
    kind, name, actions = scope.split(" ")[0].split(":")
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _rfc3339(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def basic_guard(accounts):
    """For Faulty: HTTP basic authentication."""
    def guard(request):
        kind, _, text = (request["Authorization"] or "").partition(" ")
        if kind.lower() == "basic":
            name, _, password = base64.b64decode(text).decode().partition(":")
            if name in accounts and accounts[name] == password:
                return None
        return Reply(401, {"WWW-Authenticate": 'Basic realm="registry"'})
    return guard


def docker_config(path, host, name, password):
    """A config.json as `docker login` leaves it."""
    auth = base64.b64encode(f"{name}:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return path
