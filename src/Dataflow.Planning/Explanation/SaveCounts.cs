using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>Pairs of layer and chunk of a round by what their activations do, in the terms of the published sweeps.</summary>
/// <param name="Resident">They never leave the device.</param>
/// <param name="InputOnly">They go home without attention's output.</param>
/// <param name="Attention">With attention's output, but not all that backward reads.</param>
/// <param name="Full">With all that cannot be had from the input by a projection alone: everything, keys and values perhaps left
/// out.</param>
public sealed record SaveCounts(int Resident, int InputOnly, int Attention, int Full)
{
    /// <summary>Pairs that go home.</summary>
    public int Home => InputOnly + Attention + Full;

    /// <summary>Of the first round of a plan.</summary>
    public static SaveCounts Of(TrainingPlan plan)
    {
        var (model, geometry) = (plan.Workload.Model, plan.Workload.Geometry);
        var pattern = new SavePattern(model, geometry, plan.Workload.Kind, plan.Residency);
        int resident = 0, input = 0, attention = 0, full = 0;
        for (int l = model.LayersWithoutBackward; l < model.LayerCount; l++)
        {
            for (int c = 0; c < geometry.ChunksPerRound; c++)
            {
                var saved = pattern.Saved(new Layer(l), new Chunk(c), new Round(0));
                if (pattern.IsResident(new Layer(l), new Chunk(c)))
                {
                    resident++;
                }
                else if ((saved | SaveSet.Kv) == SaveSet.All)
                {
                    full++;
                }
                else if (saved.HasFlag(SaveSet.Attention))
                {
                    attention++;
                }
                else
                {
                    input++;
                }
            }
        }

        return new SaveCounts(resident, input, attention, full);
    }
}
