using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <content>
/// Experts in objects of their own. A layer passes its objects one by one, again for each chunk, so that those of all layers take turns
/// object by object, and what does not stay travels; the residency's slots of layers are slots of these, too.
/// </content>
internal static partial class ObjectFamilies
{
    private static ObjectRow WeightsOf(ExpertObjects experts, int row) =>
        WeightsOf(row) with
        {
            SlotLength = _ => experts.Weights,
            SlotCount = m =>
                m.Sizes.Kind.HasBackward()
                    ? Math.Min(m.Residency.WeightSlots, experts.Count)
                    : InRing(experts.Count, m.Residency.WeightSlots),
            ResidentCount = m => m.Sizes.Kind.HasBackward() ? 0 : Staying(experts.Count, m.Residency.WeightSlots),
            IsResident = (m, id) =>
                !m.Sizes.Kind.HasBackward()
                && IsSpread(experts.Count, experts.PlaceOf(id.Owner!.Value), Staying(experts.Count, m.Residency.WeightSlots)),
            Homes = (m, _, _) => experts.LargestWeights(
                m.Residency.WeightSlots >= experts.Count ? 0
                : m.Sizes.Kind.HasBackward() ? experts.Count
                : experts.Count - Staying(experts.Count, m.Residency.WeightSlots)),
        };

    private static ObjectRow GradientsOf(ExpertObjects experts, int row) =>
        GradientsOf(row) with
        {
            SlotLength = _ => experts.Gradients,
            SlotCount = m =>
                m.Sizes.Kind.HasBackward() ? Math.Min(m.Residency.GradientSlots, experts.Trained - StayingGradients(m, experts)) : 0,
            ResidentCount = m => m.Sizes.Kind.HasBackward() ? StayingGradients(m, experts) : 0,
            Homes = (m, slots, _) =>
            {
                int ring = experts.Trained - StayingGradients(m, experts);
                bool usedAtOnce = m.Sizes.UsesGradientsAtOnce && m.Sizes.Optimizer.UpdatesBetween && m.Chunks == 1;
                return experts.LargestGradients(
                    !m.Sizes.Kind.HasBackward() ? 0
                    : m.Sizes.Kind == WorkloadKind.Gradients ? experts.Trained
                    : !usedAtOnce && slots < ring ? ring
                    : 0);
            },
        };

    /// <summary>Gradients that stay are those of the first layers that have some.</summary>
    private static int StayingGradients(SizedResidency m, ExpertObjects experts)
    {
        int layer = 0;
        while (layer < m.Layers && m.Sizes.PlaceOfGradients(new Layer(layer)) < m.Residency.ResidentGradients)
        {
            layer++;
        }

        return experts.TrainedBefore(layer);
    }
}
