using System.Text.Json;

namespace Dataflow.Model;

/// <summary>
/// Rotary positions as version 4 of that library writes them (rope_theta at the top, rope_scaling) and version 5 (rope_parameters, with the
/// base inside). What contradicts itself is refused, for it says that somebody changed one of two places.
/// </summary>
internal static class HuggingFaceRope
{
    /// <summary>What is said of the others.</summary>
    public const string PlainOnly = "only plain rotary positions are supported";

    private const double DefaultTheta = 10_000;
    private const string Top = "rope_theta";
    private const string Plain = "default";

    /// <summary>The base of the frequencies; whatever is not plain is a fault of the fields.</summary>
    public static double Theta(JsonFields fields, List<string> unknown)
    {
        var (scaling, parameters) = (fields.Nested("rope_scaling"), fields.Nested("rope_parameters"));
        string key = scaling is null ? "rope_parameters" : "rope_scaling";
        if (
            scaling is not null
            && parameters is not null
            && !JsonElement.DeepEquals(fields.Find("rope_scaling")!.Value, fields.Find("rope_parameters")!.Value)
        )
        {
            fields.Faults.Add("rope_scaling and rope_parameters are both given and differ; leave one out");
        }

        if (fields.IsNull(Top))
        {
            fields.Faults.Add("rope_theta is null, and a number is needed");
        }

        double top = fields.Double(Top, DefaultTheta);
        if ((scaling ?? parameters) is not { } rope)
        {
            return top;
        }

        RefuseScaled(fields, rope, key);
        unknown.AddRange(rope.Keys.Where(k => !HuggingFaceKeys.Rope.ContainsKey(k)).Select(k => $"{key}.{k}"));
        double theta = rope.Double(Top, top);
        if (rope.Has(Top) && fields.Has(Top) && theta != top)
        {
            fields.Faults.Add($"rope_theta is {Quote(fields, Top)} and {key} has rope_theta {Quote(rope, Top)}; leave one out");
        }

        fields.Faults.AddRange(rope.Faults.Select(fault => $"{key}: {fault}"));
        return theta;
    }

    private static void RefuseScaled(JsonFields fields, JsonFields rope, string key)
    {
        var (kind, old) = (rope.Text("rope_type"), rope.Text("type"));
        if (kind is not null && old is not null && kind != old)
        {
            fields.Faults.Add($"{key} has rope_type {Quote(rope, "rope_type")} and type {Quote(rope, "type")}; leave one out");
        }
        else if ((kind ?? old ?? Plain) is var type && type != Plain)
        {
            fields.Faults.Add($"{key} is of type {type}, and {PlainOnly}");
        }
        else
        {
            // Positions are scaled by a type; its keys without it, or beside the plain one, are half of a change.
            string given = kind is null && old is null ? "no rope_type" : "the type default";
            foreach (string name in rope.Keys)
            {
                if (
                    rope.Find(name) is { } value
                    && HuggingFaceKeys.Rope.GetValueOrDefault(name) is KeyUse.RefusedUnless rule
                    && !rule.Allows(value)
                )
                {
                    fields.Faults.Add($"{key} has {name} {JsonFields.Quote(value)} and {given}, and {rule.Reason}");
                }
            }
        }
    }

    private static string Quote(JsonFields fields, string key) => JsonFields.Quote(fields.Find(key)!.Value);
}
