{{- /* Names that several templates use. `required` says what to set where lint would only say that a name is empty. */ -}}
{{- define "gitops.bundle" -}}
{{- required "bundle is not set; fix: --set bundle=NAME, the `name` in lockstep.yaml" .Values.bundle -}}
{{- end -}}
{{- define "gitops.environment" -}}
{{- required "environment is not set; fix: --set environment=NAME, a folder below releases/" .Values.environment -}}
{{- end -}}
{{- define "gitops.url" -}}
{{- required "repository.url is not set; fix: --set repository.url=https://HOST/REPOSITORY.git" .Values.repository.url -}}
{{- end -}}
{{- define "gitops.namespace" -}}
{{- .Values.namespace | default (include "gitops.environment" .) -}}
{{- end -}}
{{- define "gitops.name" -}}
{{- printf "%s-%s" (include "gitops.bundle" .) (include "gitops.environment" .) -}}
{{- end -}}
{{- define "gitops.folder" -}}
{{- printf "%sreleases/%s" (.Values.repository.path | empty | ternary "" (printf "%s/" .Values.repository.path)) (include "gitops.environment" .) -}}
{{- end -}}
{{- define "gitops.labels" -}}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/part-of: {{ include "gitops.bundle" . | quote }}
{{- end -}}
