-- wrk's own report is for people; this one is for load/wrk.ts. Arguments: the method and the body.
function init(args)
  wrk.method = args[1]
  if args[2] ~= "" then wrk.body = args[2] end
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\nresult {"requests":%d,"micros":%d,"errors":%d,"p50Micros":%d,"p99Micros":%d}\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
