using System.Collections.Immutable;
using System.Text.Json;

namespace Dataflow.Model;

/// <summary>What a config's keys of rotation say.</summary>
/// <param name="Positions">Of layers that see all that came before.</param>
/// <param name="InWindows">Of layers with a window, where the file says something of them; null: it does not.</param>
/// <param name="Part">The part of a head that is rotated; null where it says nothing.</param>
internal sealed record RotaryReading(RotaryPositions Positions, RotaryPositions? InWindows, double? Part);

/// <summary>
/// Rotary positions as version 4 of that library writes them (rope_theta at the top, rope_scaling) and version 5 (rope_parameters, with the
/// base inside). What contradicts itself is refused, for it says that somebody changed one of two places.
/// </summary>
internal static class HuggingFaceRope
{
    private const string Top = "rope_theta";
    private const string Plain = "default";
    private const string Proportional = "proportional";
    private const string Full = "full_attention";
    private const string Sliding = "sliding_attention";

    private static readonly Dictionary<string, RotaryScalingKind> s_kinds = new()
    {
        ["linear"] = RotaryScalingKind.Linear,
        ["dynamic"] = RotaryScalingKind.Dynamic,
        ["llama3"] = RotaryScalingKind.Llama3,
        ["yarn"] = RotaryScalingKind.Yarn,
        ["longrope"] = RotaryScalingKind.LongRope,
        ["su"] = RotaryScalingKind.LongRope, // what the first Phi-3 files called it
    };

    private static readonly Dictionary<RotaryScalingKind, string[]> s_keysOf = new()
    {
        [RotaryScalingKind.Linear] = ["factor"],
        [RotaryScalingKind.Dynamic] = ["factor", "original_max_position_embeddings"],
        [RotaryScalingKind.Llama3] = ["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"],
        [RotaryScalingKind.Yarn] =
        [
            "factor", "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate",
            "original_max_position_embeddings", "llama_4_scaling_beta",
        ],
        [RotaryScalingKind.Proportional] = ["factor", "partial_rotary_factor"],
        [RotaryScalingKind.LongRope] =
        [
            "factor", "short_factor", "long_factor", "short_mscale", "long_mscale", "attention_factor",
            "original_max_position_embeddings",
        ],
    };

    /// <summary>What the keys say; what cannot be understood is a fault of the fields.</summary>
    public static RotaryReading Read(JsonFields fields, ModelFamily family, List<string> unknown)
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

        if (fields.IsNull(family.ThetaKey) && !family.MayHaveNoRotation)
        {
            fields.Faults.Add($"{family.ThetaKey} is null, and a number is needed");
        }

        double top = fields.Double(family.ThetaKey, family.Theta);
        var at = new Place(fields, family, unknown, key);
        if ((scaling ?? parameters) is not { } rope)
        {
            return new RotaryReading(new RotaryPositions(top, family.Scaling), null, PartOf(at, null));
        }

        if (family.PositionsByKind && (rope.Has(Full) || rope.Has(Sliding)))
        {
            unknown.AddRange(rope.Keys.Where(k => k is not (Full or Sliding)).Select(k => $"{key}.{k}"));
            return new RotaryReading(
                OfKind(at, rope, Full) ?? new RotaryPositions(top), OfKind(at, rope, Sliding), PartOf(at, null));
        }

        if (family.PositionsByKind && scaling is null)
        {
            // That library keeps such an object and computes with the family's own bases.
            fields.Faults.Add($"{key} of a {family.Type} model has no {Full} and no {Sliding}, without which it says nothing");
        }

        unknown.AddRange(rope.Keys.Where(k => !HuggingFaceKeys.Rope.ContainsKey(k)).Select(k => $"{key}.{k}"));
        var positions = Positions(at, rope, top);
        if (rope.Has(Top) && fields.Has(family.ThetaKey) && positions.Theta != top)
        {
            fields.Faults.Add(
                $"{family.ThetaKey} is {Quote(fields, family.ThetaKey)} and {key} has rope_theta {Quote(rope, Top)}; leave one out");
        }

        var reading = new RotaryReading(positions, null, PartOf(at, rope));
        fields.Faults.AddRange(rope.Faults.Select(fault => $"{key}: {fault}"));
        return reading;
    }

    /// <summary>Where the keys stand, for messages.</summary>
    private sealed record Place(JsonFields Fields, ModelFamily Family, List<string> Unknown, string Key);

    private static RotaryPositions? OfKind(Place at, JsonFields byKind, string kind)
    {
        if (byKind.Nested(kind) is not { } rope)
        {
            return null;
        }

        string key = $"{at.Key}.{kind}";
        at.Unknown.AddRange(rope.Keys.Where(k => !HuggingFaceKeys.Rope.ContainsKey(k)).Select(k => $"{key}.{k}"));
        var positions = Positions(at with { Key = key }, rope, at.Family.Theta);
        at.Fields.Faults.AddRange(rope.Faults.Select(fault => $"{key}: {fault}"));
        return positions;
    }

    private static double? PartOf(Place at, JsonFields? rope)
    {
        if (at.Family.RotaryPart is null)
        {
            return null;
        }

        const string within = "partial_rotary_factor";
        double? inside = rope?.Has(within) == true ? rope.Double(within) : null;
        double? outside = at.Fields.Has(at.Family.RotaryPartKey) ? at.Fields.Double(at.Family.RotaryPartKey) : null;
        if (inside is { } one && outside is { } other && one != other)
        {
            at.Fields.Faults.Add($"{at.Family.RotaryPartKey} is {other} and {within} of {at.Key} is {one}; leave one out");
        }

        return inside ?? outside;
    }

    private static RotaryPositions Positions(Place at, JsonFields rope, double theta)
    {
        theta = rope.Double(Top, theta);
        var (kind, old) = (rope.Text("rope_type"), rope.Text("type"));
        if (kind is not null && old is not null && kind != old)
        {
            at.Fields.Faults.Add(
                $"{at.Key} has rope_type {Quote(rope, "rope_type")} and type {Quote(rope, "type")}; leave one out");
            return new RotaryPositions(theta);
        }

        string type = kind ?? old ?? Plain;
        if (type == "mrope")
        {
            type = Plain; // on text all three positions are equal
        }

        // Phi-3's first long models said yarn where they meant two lists.
        var scaled = type == Plain ? (RotaryScalingKind?)null
            : rope.Has("long_factor") && type == "yarn" ? RotaryScalingKind.LongRope
            : type == Proportional && at.Family.HasProportionalPositions ? RotaryScalingKind.Proportional
            : s_kinds.TryGetValue(type, out var known) ? known
            : null;
        if (type != Plain && scaled is null)
        {
            at.Fields.Faults.Add(
                $"{at.Key} is of type {type}, and rotary positions are supported plain or scaled by {string.Join(", ", s_kinds.Keys)}");
            return new RotaryPositions(theta);
        }

        RefuseOthers(at, rope, scaled, kind is null && old is null ? "no rope_type" : $"the type {type}");
        return new RotaryPositions(theta, scaled is { } some ? Scaling(at, rope, some) : null);
    }

    /// <summary>Positions are scaled by a type; a key that this type does not have is half of a change.</summary>
    private static void RefuseOthers(Place at, JsonFields rope, RotaryScalingKind? kind, string given)
    {
        string[] own = kind is { } some ? s_keysOf[some] : [];
        foreach (string name in rope.Keys)
        {
            if (
                !own.Contains(name)
                && !(name == "partial_rotary_factor" && at.Family.RotaryPart is not null)
                && rope.Find(name) is { } value
                && HuggingFaceKeys.Rope.GetValueOrDefault(name) is KeyUse.RefusedUnless rule
                && !rule.Allows(value)
            )
            {
                at.Fields.Faults.Add($"{at.Key} has {name} {JsonFields.Quote(value)} and {given}, and {rule.Reason}");
            }
        }
    }

    private static RotaryScaling Scaling(Place at, JsonFields rope, RotaryScalingKind kind)
    {
        int positions = at.Fields.Int("max_position_embeddings", at.Family.MaxPositions);
        int original = at.Fields.Has("original_max_position_embeddings") && at.Family.Use("original_max_position_embeddings") is KeyUse.Read
            ? at.Fields.Int("original_max_position_embeddings")
            : rope.Int("original_max_position_embeddings", positions);
        Positive(at, "original_max_position_embeddings", original);
        double factor = kind == RotaryScalingKind.LongRope
            ? LongFactor(rope, positions, original)
            : Positive(at, "factor", rope.Double("factor", kind == RotaryScalingKind.Proportional ? 1 : null));
        var scaling = new RotaryScaling(kind, factor) { OriginalPositions = Math.Max(original, 1) };
        return kind switch
        {
            RotaryScalingKind.Dynamic => scaling with { OriginalPositions = Math.Max(positions, 1) },
            RotaryScalingKind.Llama3 => scaling with
            {
                LowFrequencyFactor = Positive(at, "low_freq_factor", rope.Double("low_freq_factor")),
                HighFrequencyFactor = Positive(at, "high_freq_factor", rope.Double("high_freq_factor")),
            },
            RotaryScalingKind.Yarn => scaling with
            {
                BetaFast = rope.Double("beta_fast", 32),
                BetaSlow = rope.Double("beta_slow", 1),
                Truncate = rope.Bool("truncate", absent: true),
                AttentionFactor = YarnFactor(rope, factor),
                QueryGrowth = rope.Has("llama_4_scaling_beta") ? rope.Double("llama_4_scaling_beta") : null,
            },
            RotaryScalingKind.Proportional => scaling with { Part = Part(at, rope.Double("partial_rotary_factor", 1)) },
            RotaryScalingKind.LongRope => scaling with
            {
                ShortFactors = Factors(rope, "short_factor"),
                LongFactors = Factors(rope, "long_factor"),
                AttentionFactor = rope.Has("attention_factor")
                    ? rope.Double("attention_factor")
                    : factor <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(factor) / Math.Log(original))),
            },
            _ => scaling,
        };
    }

    private static double LongFactor(JsonFields rope, int positions, int original) =>
        rope.Has("factor") && original == positions ? rope.Double("factor") : (double)positions / Math.Max(original, 1);

    private static double YarnFactor(JsonFields rope, double factor)
    {
        if (rope.Has("attention_factor"))
        {
            return rope.Double("attention_factor");
        }

        double Of(double scale) => factor <= 1 ? 1 : (0.1 * scale * Math.Log(factor)) + 1;
        var (some, all) = (rope.Double("mscale", 0), rope.Double("mscale_all_dim", 0));
        return some != 0 && all != 0 ? Of(some) / Of(all) : Of(1);
    }

    private static FactorList Factors(JsonFields rope, string key)
    {
        if (
            rope.Find(key) is not { ValueKind: JsonValueKind.Array } list
            || list.EnumerateArray().Any(v => v.ValueKind != JsonValueKind.Number || !(v.GetDouble() > 0))
        )
        {
            rope.Faults.Add($"{key} must be a list of positive numbers, one for each pair of dimensions");
            return new FactorList([]);
        }

        return new FactorList([.. list.EnumerateArray().Select(v => v.GetDouble())]);
    }

    private static double Part(Place at, double part)
    {
        if (part is <= 0 or > 1)
        {
            at.Fields.Faults.Add($"partial_rotary_factor of {at.Key} must be above 0 and at most 1, found {part}");
        }

        return part;
    }

    private static double Positive(Place at, string key, double value)
    {
        if (value <= 0 || double.IsInfinity(value))
        {
            at.Fields.Faults.Add($"{key} of {at.Key} must be a positive number, found {value}");
        }

        return value;
    }

    private static string Quote(JsonFields fields, string key) => JsonFields.Quote(fields.Find(key)!.Value);
}
