namespace Dataflow.Model;

/// <summary>What families of mixtures have in common in their configs.</summary>
internal static class ExpertKeys
{
    /// <summary>Keys of the load-balancing loss, which a family's config may ask for.</summary>
    public static IEnumerable<(string Key, KeyUse Use)> Balance =>
        [
            ("output_router_logits", new KeyUse.Read()),
            (Weight, new KeyUse.Read()),
            ("router_jitter_noise", new KeyUse.RefusedUnless("noise on the router's input is not supported", "0")),
        ];

    /// <summary>The same of families whose load-balancing loss is not that of the others, or that have none.</summary>
    public static IEnumerable<(string Key, KeyUse Use)> WithoutBalance =>
        [
            ("output_router_logits", new KeyUse.RefusedUnless("the load-balancing loss of this family is not supported", "false")),
            (Weight, new KeyUse.Ignored("without output_router_logits there is no load-balancing loss")),
        ];

    private const string Weight = "router_aux_loss_coef";

    /// <summary>Width of so many experts that every token has, which are one network.</summary>
    public static int SharedDim(JsonFields fields, string key, int absent, int width)
    {
        int count = fields.Int(key, absent);
        return width < 0 || count < 0 ? ModelConfigLimits.Unknown : (int)Math.Min(int.MaxValue, (long)count * width);
    }

    /// <summary>By what the load-balancing loss counts, if the file asks for it.</summary>
    public static double BalanceWeight(JsonFields fields, ModelFamily family) =>
        family.Use(Weight) is KeyUse.Read && fields.Bool("output_router_logits", absent: false)
            ? fields.Double(Weight, family.BalanceWeight)
            : 0;

    /// <summary>How many experts, by whichever key the file has it: transformers 5 writes one name for all families.</summary>
    public static int Count(JsonFields fields, int absent, params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
        {
            if (fields.Has(key))
            {
                return fields.Int(key);
            }
        }

        return absent;
    }
}
