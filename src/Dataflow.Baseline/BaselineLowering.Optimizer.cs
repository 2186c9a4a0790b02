using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Baseline;

/// <summary>
/// The optimizer's phase. Moments come into slots that lie over those of the rounds, so the first may come once the last backward is
/// done, and the next step's first forward waits for the last to leave. An update waits for the copies home of the one before: so says
/// the published system, no byte does.
/// </summary>
public sealed partial class BaselineLowering
{
    private void Optimize()
    {
        var (weights, gradients, slots) = (plan.Device.WeightBlocks, plan.Device.GradientBlocks, memory.OptimizerSlots);
        int lastBackward = ops.Count - 1;
        for (int l = 0; l < slots; l++)
        {
            FetchMoments(l);
            orders.Add((ops.Count - 2, new Wait(lastBackward, 0)));
        }

        foreach (int part in (int[])[0, 1])
        {
            Run(OpKind.Update, null, null, null,
            [
                Resident(Roles.Weights, part, AccessMode.ReadWrite), Resident(Roles.Gradients, 2 + part, AccessMode.Read),
                Resident(Roles.Optimizer, 4 + part, AccessMode.ReadWrite), Resident(Roles.Optimizer, 6 + part, AccessMode.ReadWrite),
            ]);
        }

        for (int l = 0; l < layers; l++)
        {
            int update = Run(OpKind.Update, new Layer(l), null, null,
            [
                Weights(new Layer(l), AccessMode.ReadWrite), Gradients(new Layer(l), AccessMode.Read),
                Whole(Roles.Optimizer, memory.First + l, MomentSlot(l), AccessMode.ReadWrite),
                Whole(Roles.Optimizer, memory.Second + l, MomentSlot(l) + 1, AccessMode.ReadWrite),
            ]);
            if (l > 0)
            {
                orders.Add((update, new Wait(LastSave, 0)));
            }

            Copy(OpKind.Save, Outbound, new Layer(l), null, null, new(memory.Weights + l, WeightSlot(l), memory.WeightHome + l));
            Copy(OpKind.Save, Outbound, new Layer(l), null, null, new(memory.First + l, MomentSlot(l), memory.FirstHome + l));
            Copy(OpKind.Save, Outbound, new Layer(l), null, null, new(memory.Second + l, MomentSlot(l) + 1, memory.SecondHome + l));
            LastSave = ops.Count - 1;
            if (l + weights < layers)
            {
                FetchWeights(l + weights, null);
            }

            if (gradientsTravel && l + gradients < layers)
            {
                FetchGradients(l + gradients, null);
                orders.Add((ops.Count - 1, new Wait(LastSave, 0)));
            }

            if (l + slots < layers)
            {
                FetchMoments(l + slots);
            }
        }

        // The next step begins with the first layers.
        for (int l = 0; l < weights && weights < layers; l++)
        {
            if (LastIn(l) != l)
            {
                FetchWeights(l, null);
            }
        }

        // What the overlay covers is written from the first forward on.
        int forward = ops.FindIndex(o => o.Kind == OpKind.Forward);
        orders.Add((forward, new Wait(LastSave, 1)));
    }

    /// <summary>The last op that copies something home.</summary>
    private int LastSave { get; set; } = -1;

    // The layer whose parameters the optimizer's phase leaves in the slot of layer l.
    private int LastIn(int l) => l + ((layers - 1 - l) / plan.Device.WeightBlocks * plan.Device.WeightBlocks);

    private int MomentSlot(int l) => memory.OptimizerSlot + (2 * (l % memory.OptimizerSlots));

    private void FetchMoments(int l)
    {
        Copy(OpKind.Fetch, Inbound, new Layer(l), null, null, new(memory.First + l, memory.FirstHome + l, MomentSlot(l)));
        Copy(OpKind.Fetch, Inbound, new Layer(l), null, null, new(memory.Second + l, memory.SecondHome + l, MomentSlot(l) + 1));
    }
}
