namespace Dataflow.Schedules;

/// <summary>A way in which a schedule breaks a rule.</summary>
/// <param name="Rule">"structure", "budget", "hazard", "value" or "tenancy".</param>
/// <param name="Op">The op at fault, if one is; for a pair of ops, the later.</param>
/// <param name="Message">One sentence that names the ops, objects, slots and bytes concerned.</param>
public sealed record ScheduleError(string Rule, int? Op, string Message);
