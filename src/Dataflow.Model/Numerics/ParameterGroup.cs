using System.Globalization;

namespace Dataflow.Model;

/// <summary>Parameters, by their names, that are updated with numbers of their own. Null: as all others.</summary>
/// <param name="Pattern">Which they are.</param>
public sealed record ParameterGroup(NamePattern Pattern)
{
    private const string RateKey = "lr", FactorKey = "factor", DecayKey = "decay";

    /// <summary>The learning rate, where all others have the run's; it goes over the steps as that does.</summary>
    public float? Rate { get; init; }

    /// <summary>What the learning rate of each step is multiplied by.</summary>
    public float? Factor { get; init; }

    /// <summary>The weight decay.</summary>
    public float? Decay { get; init; }

    /// <summary>Reads "PATTERN:factor=0.1,decay=0".</summary>
    /// <exception cref="UserErrorException">It is none, or has a key that is not known.</exception>
    public static ParameterGroup Parse(string text)
    {
        int colon = text.LastIndexOf(':');
        const StringSplitOptions trimmed = StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries;
        string[] settings = colon < 0 ? [] : text[(colon + 1)..].Split(',', trimmed);
        if (colon <= 0 || settings.Length == 0)
        {
            throw new UserErrorException($"'{text}' is no group of parameters; give one such as \"*norm*:factor=0.1,decay=0\"");
        }

        var group = new ParameterGroup(NamePattern.Parse(text[..colon]));
        foreach (string setting in settings)
        {
            string key = setting.Split('=')[0].Trim();
            string number = setting[(setting.IndexOf('=') + 1)..];
            bool read = float.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out float value);
            if (key is not (RateKey or FactorKey or DecayKey))
            {
                throw new UserErrorException($"'{text}': a group has no {key}; it may have {RateKey}, {FactorKey} and {DecayKey}");
            }

            if (!read || !setting.Contains('=') || !float.IsFinite(value) || value < 0)
            {
                throw new UserErrorException($"'{text}': {key} takes a number from 0 on, as in {key}=0.1");
            }

            if ((key == RateKey ? group.Rate : key == FactorKey ? group.Factor : group.Decay) is not null)
            {
                throw new UserErrorException($"'{text}': {key} was given twice; leave one out");
            }

            group = key switch
            {
                RateKey => group with { Rate = value },
                FactorKey => group with { Factor = value },
                _ => group with { Decay = value },
            };
        }

        return group is { Rate: not null, Factor: not null }
            ? throw new UserErrorException($"'{text}': {RateKey} and {FactorKey} were both given; leave one out")
            : group;
    }

    /// <summary>As <see cref="Parse"/> takes it.</summary>
    public override string ToString()
    {
        (string Key, float? Value)[] settings = [(RateKey, Rate), (FactorKey, Factor), (DecayKey, Decay)];
        var given = settings.Where(s => s.Value is not null);
        return $"{Pattern}:{string.Join(',', given.Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Key}={s.Value:R}")))}";
    }
}
