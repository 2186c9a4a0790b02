namespace Dataflow.Model;

/// <summary>What families of mixtures have in common in their configs.</summary>
internal static class ExpertKeys
{
    /// <summary>Keys of the load-balancing loss, which a family's config may ask for.</summary>
    public static IEnumerable<(string Key, KeyUse Use)> Balance =>
        [
            ("output_router_logits", new KeyUse.RefusedUnless("the load-balancing loss is not supported yet", "false")),
            ("router_aux_loss_coef", new KeyUse.Ignored("without output_router_logits there is no load-balancing loss")),
            ("router_jitter_noise", new KeyUse.RefusedUnless("noise on the router's input is not supported", "0")),
        ];

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
