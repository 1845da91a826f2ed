"""The fields that the APIs of rollout tools define, as far as deploy/gitops uses
those kinds: written down from their types, whole where it matters.

A table is {field: type}; a type is str, int, bool, another table, [type], a
tuple of types of which one has to fit, or ANY.  "!field" has to be there.
"""

import re

ANY = object()
TEXTS = {"*": str}
INT_OR_STR = (int, str)


def faults(value, kind, where):
    """What of VALUE does not fit KIND, a sentence each."""
    if kind is ANY:
        return
    if isinstance(kind, tuple):
        if all(list(faults(value, one, where)) for one in kind):
            yield f"{where} is {value!r}"
    elif isinstance(kind, re.Pattern):
        if not (isinstance(value, str) and kind.fullmatch(value)):
            yield f"{where} is {value!r}"
    elif isinstance(kind, list):
        if not isinstance(value, list) or not value:
            yield f"{where} is no list"
            return
        for number, one in enumerate(value):
            yield from faults(one, kind[0], f"{where}[{number}]")
    elif isinstance(kind, dict):
        yield from _table_faults(value, kind, where)
    elif type(value) is not kind:  # a bool is an int, but not here
        yield f"{where} is {value!r}, no {kind.__name__}"


def _table_faults(value, table, where):
    if not isinstance(value, dict):
        yield f"{where} is no mapping"
        return
    known = {field.lstrip("!"): kind for field, kind in table.items()}
    for field, one in value.items():
        if field not in known and "*" not in known:
            yield f"{where} has no field {field}"
        else:
            yield from faults(one, known.get(field, known.get("*")), f"{where}.{field}")
    for field in table:
        if field.startswith("!") and field[1:] not in value:
            yield f"{where} lacks {field[1:]}"


# ---- Kubernetes ----------------------------------------------------------------

NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
META = {"!name": NAME, "namespace": NAME, "labels": TEXTS, "annotations": TEXTS}
SELECTOR = {"matchLabels": TEXTS, "matchExpressions": [
    {"!key": str, "!operator": re.compile("In|NotIn|Exists|DoesNotExist"), "values": [str]}]}
CONTAINER = {"!name": NAME, "!image": str, "command": [str], "args": [str],
             "env": [{"!name": str, "value": str, "valueFrom": ANY}],
             "volumeMounts": [{"!name": str, "!mountPath": str, "readOnly": bool,
                               "subPath": str}],
             "resources": ANY, "securityContext": ANY, "ports": ANY, "workingDir": str}
POD = {"metadata": {"labels": TEXTS, "annotations": TEXTS},
       "!spec": {"!containers": [CONTAINER], "initContainers": [CONTAINER],
                 "restartPolicy": re.compile("Always|OnFailure|Never"),
                 "serviceAccountName": NAME, "activeDeadlineSeconds": int,
                 "volumes": [{"!name": str, "secret": {"!secretName": NAME, "optional": bool},
                              "configMap": ANY, "emptyDir": ANY}],
                 "securityContext": ANY, "imagePullSecrets": ANY}}
JOB = {"activeDeadlineSeconds": int, "backoffLimit": int, "completions": int,
       "parallelism": int, "ttlSecondsAfterFinished": int, "suspend": bool, "!template": POD}
KUSTOMIZATION = {"!apiVersion": str, "!kind": str, "namespace": NAME, "resources": [str],
                 "images": ANY, "patches": ANY, "labels": ANY, "configMapGenerator": ANY}

# ---- Rancher Fleet: bundle_types.go, bundledeployment_types.go, gitrepo_types.go,
# fleetyaml.go -------------------------------------------------------------------

LIMIT = (int, re.compile(r"\d+%?"))
CLUSTERS = {"name": str, "clusterName": NAME, "clusterSelector": SELECTOR,
            "clusterGroup": NAME, "clusterGroupSelector": SELECTOR}
HELM = {"chart": str, "repo": str, "releaseName": re.compile("[a-z0-9][-a-z0-9.]{0,52}"),
        "version": str, "timeoutSeconds": int, "values": ANY, "valuesFrom": ANY, "force": bool,
        "takeOwnership": bool, "maxHistory": int, "valuesFiles": [str], "waitForJobs": bool,
        "atomic": bool, "disablePreProcess": bool, "disableDNS": bool,
        "skipSchemaValidation": bool}
BUNDLE_OPTIONS = {
    "defaultNamespace": NAME, "namespace": NAME, "kustomize": {"dir": str}, "helm": HELM,
    "serviceAccount": NAME, "forceSyncGeneration": int, "yaml": {"overlays": [str]}, "diff": ANY,
    "keepResources": bool, "ignore": ANY, "correctDrift": ANY, "namespaceLabels": TEXTS,
    "namespaceAnnotations": TEXTS}
FLEET_YAML = {
    **BUNDLE_OPTIONS, "name": NAME, "labels": TEXTS, "paused": bool,
    "rolloutStrategy": {
        "maxUnavailable": LIMIT, "maxUnavailablePartitions": LIMIT, "autoPartitionSize": LIMIT,
        "partitions": [{**CLUSTERS, "maxUnavailable": LIMIT}]},
    "targetCustomizations": [{**BUNDLE_OPTIONS, **CLUSTERS, "doNotDeploy": bool}],
    "overrideTargets": [CLUSTERS],
    "dependsOn": [{"name": NAME, "selector": SELECTOR}], "imageScans": ANY}
GIT_REPO = {
    "!repo": str, "branch": str, "revision": str, "targetNamespace": NAME,
    "clientSecretName": NAME, "helmSecretName": NAME, "helmSecretNameForPaths": NAME,
    "helmRepoURLRegex": str, "caBundle": str, "insecureSkipTLSVerify": bool, "paths": [str],
    "paused": bool, "serviceAccount": NAME, "targets": [CLUSTERS], "pollingInterval": str,
    "forceSyncGeneration": int, "keepResources": bool, "deleteNamespace": bool,
    "correctDrift": ANY, "disablePolling": bool}

# ---- Argo CD: application_types --------------------------------------------------

RETRY = {"limit": int, "backoff": {"duration": str, "factor": int, "maxDuration": str}}
APPLICATION = {
    "!project": str,
    "source": {"!repoURL": str, "targetRevision": str, "path": str, "chart": str, "helm": ANY,
               "kustomize": ANY, "directory": ANY, "plugin": ANY, "ref": str},
    "sources": ANY,
    "!destination": {"server": str, "name": NAME, "namespace": NAME},
    "syncPolicy": {"automated": {"prune": bool, "selfHeal": bool, "allowEmpty": bool},
                   "syncOptions": [str], "retry": RETRY, "managedNamespaceMetadata": ANY},
    "ignoreDifferences": ANY, "info": ANY, "revisionHistoryLimit": int}

# ---- Argo Rollouts: analysis_types.go, types.go -----------------------------------

DURATION = re.compile(r"(\d+(\.\d+)?(ms|s|m|h))+")
HEADERS = [{"!key": str, "!value": str}]
ARGUMENT = {"!name": str, "value": str,
            "valueFrom": {"secretKeyRef": {"!name": NAME, "!key": str}, "fieldRef": ANY}}
METRIC = {
    "!name": str, "interval": DURATION, "initialDelay": DURATION, "count": INT_OR_STR,
    "successCondition": str, "failureCondition": str, "failureLimit": INT_OR_STR,
    "inconclusiveLimit": INT_OR_STR, "consecutiveErrorLimit": INT_OR_STR,
    "!provider": {
        "prometheus": {"!address": str, "!query": str, "authentication": ANY, "timeout": int,
                       "insecure": bool, "headers": HEADERS, "rangeQuery": ANY},
        "web": {"!url": str, "method": re.compile("GET|POST|PUT"), "headers": HEADERS,
                "body": str, "timeoutSeconds": int, "jsonPath": str, "insecure": bool,
                "jsonBody": ANY, "authentication": ANY},
        "job": {"metadata": ANY, "!spec": JOB}}}
ANALYSIS_TEMPLATE = {"!metrics": [METRIC], "args": [ARGUMENT], "dryRun": [{"!metricName": str}],
                     "measurementRetention": [{"!metricName": str, "!limit": int}],
                     "templates": ANY}
ANALYSIS = {"!templates": [{"!templateName": NAME, "clusterScope": bool}], "args": [ARGUMENT]}
ROLLOUT = {
    "replicas": int, "!selector": SELECTOR, "!template": POD, "minReadySeconds": int,
    "revisionHistoryLimit": int, "paused": bool, "progressDeadlineSeconds": int,
    "progressDeadlineAbort": bool,
    "!strategy": {"blueGreen": ANY, "canary": {
        "analysis": {**ANALYSIS, "startingStep": int},
        "steps": [{"setWeight": int, "pause": {"duration": INT_OR_STR}, "analysis": ANALYSIS,
                   "setCanaryScale": ANY, "experiment": ANY}],
        "maxSurge": INT_OR_STR, "maxUnavailable": INT_OR_STR, "canaryService": NAME,
        "stableService": NAME, "trafficRouting": ANY}}}

# ---- Flux: kustomization_types.go, gitrepository_types.go ---------------------------

SECRET = {"!name": NAME, "key": str}
GIT_REPOSITORY = {
    "!url": str, "!interval": DURATION, "timeout": DURATION, "secretRef": {"!name": NAME},
    "ref": {"branch": str, "tag": str, "semver": str, "name": str, "commit": str},
    "verify": ANY, "ignore": str, "suspend": bool, "include": ANY, "recurseSubmodules": bool,
    "provider": str, "proxySecretRef": {"!name": NAME}, "sparseCheckout": [str]}
FLUX_KUSTOMIZATION = {
    "commonMetadata": {"annotations": TEXTS, "labels": TEXTS},
    "dependsOn": [{"!name": NAME, "namespace": NAME, "readyExpr": str}],
    "decryption": ANY, "!interval": DURATION, "retryInterval": DURATION,
    "kubeConfig": {"secretRef": SECRET, "configMapRef": {"!name": NAME}}, "path": str,
    "postBuild": ANY, "!prune": bool, "deletionPolicy": str,
    "healthChecks": [{"apiVersion": str, "!kind": str, "!name": NAME, "namespace": NAME}],
    "namePrefix": str, "nameSuffix": str, "patches": ANY, "images": ANY,
    "serviceAccountName": NAME,
    "!sourceRef": {"apiVersion": str, "!name": NAME, "namespace": NAME, "!kind": re.compile(
        "OCIRepository|GitRepository|Bucket|ExternalArtifact")},
    "suspend": bool, "targetNamespace": NAME, "timeout": DURATION, "force": bool, "wait": bool,
    "components": [str], "ignoreMissingComponents": bool, "healthCheckExprs": ANY}

# ---- Cluster API: kubeadmconfig_types.go --------------------------------------------

KUBEADM_CONFIG = {
    "clusterConfiguration": ANY, "initConfiguration": ANY,
    "joinConfiguration": {"nodeRegistration": {
        "name": str, "criSocket": str, "taints": ANY, "kubeletExtraArgs": ANY,
        "ignorePreflightErrors": [str], "imagePullPolicy": str, "imagePullSerial": bool},
        "discovery": ANY, "controlPlane": ANY, "caCertPath": str, "skipPhases": [str],
        "patches": ANY, "timeouts": ANY},
    "files": [{"!path": re.compile("/.{1,511}"), "owner": str,
               "permissions": re.compile("0[0-7]{3}"), "append": bool,
               "encoding": re.compile(r"base64|gzip|gzip\+base64"),
               "content": re.compile("(?s).{1,10240}"),
               "contentFrom": {"!secret": {"!name": NAME, "!key": str}}}],
    "diskSetup": ANY, "mounts": ANY, "bootCommands": [str], "preKubeadmCommands": [str],
    "postKubeadmCommands": [str], "users": ANY, "ntp": ANY,
    "format": re.compile("cloud-config|ignition"), "verbosity": int, "ignition": ANY}

# ---- by apiVersion and kind; all have metadata, and most a spec ----------------------

RBAC = "rbac.authorization.k8s.io/v1"
SPECS = {
    ("batch/v1", "Job"): JOB,
    ("apps/v1", "Deployment"): {"replicas": int, "!selector": SELECTOR, "!template": POD,
                                "strategy": ANY},
    ("fleet.cattle.io/v1alpha1", "GitRepo"): GIT_REPO,
    ("fleet.cattle.io/v1alpha1", "ClusterGroup"): {"selector": SELECTOR},
    ("argoproj.io/v1alpha1", "Application"): APPLICATION,
    ("argoproj.io/v1alpha1", "AnalysisTemplate"): ANALYSIS_TEMPLATE,
    ("argoproj.io/v1alpha1", "Rollout"): ROLLOUT,
    ("source.toolkit.fluxcd.io/v1", "GitRepository"): GIT_REPOSITORY,
    ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"): FLUX_KUSTOMIZATION,
    ("bootstrap.cluster.x-k8s.io/v1beta2", "KubeadmConfigTemplate"): {
        "!template": {"metadata": {"labels": TEXTS, "annotations": TEXTS},
                      "!spec": KUBEADM_CONFIG}},
}
WITHOUT_SPEC = {
    ("v1", "Namespace"): {},
    ("v1", "ServiceAccount"): {},
    (RBAC, "Role"): {"!rules": [{"!apiGroups": [str], "!resources": [str],
                                 "resourceNames": [str], "!verbs": [str]}]},
    (RBAC, "RoleBinding"): {
        "!roleRef": {"!apiGroup": str, "!kind": str, "!name": NAME},
        "!subjects": [{"!kind": str, "!name": NAME, "namespace": NAME, "apiGroup": str}]},
}


def table_of(document):
    """What a document may hold; None for a kind that is not known here."""
    kind = (document.get("apiVersion"), document.get("kind"))
    common = {"!apiVersion": str, "!kind": str, "!metadata": META}
    if kind in SPECS:
        return {**common, "!spec": SPECS[kind]}
    if kind in WITHOUT_SPEC:
        return {**common, **WITHOUT_SPEC[kind]}
    if kind == ("kustomize.config.k8s.io/v1beta1", "Kustomization"):
        return KUSTOMIZATION
    return None
