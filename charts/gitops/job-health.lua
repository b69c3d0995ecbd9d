-- Health of a Job for Argo CD: as it is built in, but that a gate which has not answered yet is Degraded.
-- So the operation that would move the front ends at once and is tried again every two seconds, each time with the
-- newest commit. Were the gate Progressing, the operation would wait for it until its deadline, and meanwhile no other
-- commit could move the front: not even the revert.
local gate = obj.metadata.labels ~= nil and obj.metadata.labels["lockstep.dev/gate"] ~= nil
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    if condition.status == "True" then
      if condition.type == "Failed" then
        return {status = "Degraded", message = condition.message}
      elseif condition.type == "Complete" then
        return {status = "Healthy", message = condition.message}
      elseif condition.type == "Suspended" then
        return {status = "Suspended", message = condition.message}
      end
    end
  end
end
if gate then
  return {status = "Degraded", message = "the gate has not answered yet"}
end
return {status = "Progressing", message = ""}
