using Dataflow.Model;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Baseline;

/// <summary>What the ops of a plan's schedule take of a machine.</summary>
public static class BaselineCosts
{
    /// <summary>
    /// Per op. Activations come back with the K and V in front of them, although these come to the window by themselves, too.
    /// </summary>
    public static OpCost[] Of(BaselinePlan plan, Schedule schedule, CostModel machine)
    {
        var kernels = new BaselineKernels(plan);
        var known = new Dictionary<(OpKind, int, Chunk?, SaveSet, Bytes), OpCost>();
        var kv = new Bytes(4L * plan.Chunking.ChunkTokens * plan.Request.Model.KvDim);
        var costs = new OpCost[schedule.Ops.Length];
        for (int i = 0; i < costs.Length; i++)
        {
            var op = schedule.Ops[i];
            costs[i] = op.Kind is OpKind.Fetch or OpKind.Save ? Copy(op, schedule, kv, machine) : Compute(op);
        }

        return costs;

        OpCost Compute(ScheduledOp op)
        {
            // An update's work is its parameters', the others' is their chunk's and level's.
            var key = (op.Kind, op.Piece, op.Chunk, op.Saved, op.Kind == OpKind.Update ? op.Accesses[0].Length : Bytes.Zero);
            if (!known.TryGetValue(key, out var cost))
            {
                double seconds = 0;
                foreach (var work in kernels.Of(op))
                {
                    seconds += machine.Seconds(work);
                }

                known[key] = cost = OpCost.Compute(CostModel.Nanoseconds(seconds));
            }

            return cost;
        }
    }

    /// <summary>The compute ops with every kernel at its ceiling, one after the other.</summary>
    public static double CeilingSeconds(BaselinePlan plan, Schedule schedule, CostModel machine)
    {
        var kernels = new BaselineKernels(plan);
        return schedule
            .Ops.Where(o => o.Kind is not (OpKind.Fetch or OpKind.Save))
            .Sum(o => kernels.Of(o).Sum(w => machine.CeilingSeconds(w)));
    }

    private static OpCost Copy(ScheduledOp op, Schedule schedule, Bytes kv, CostModel machine)
    {
        var from = op.Accesses[0];
        if (op.Kind == OpKind.Save)
        {
            return machine.Copy(LinkDirection.DeviceToHost, from.Length.Value);
        }

        if (schedule.Slots[from.Slot].Arena == BaselineMemory.Device)
        {
            return OpCost.Compute(CostModel.Nanoseconds(machine.Seconds(KernelWork.Memory(2.0 * from.Length.Value))));
        }

        bool isActivations = op.Saved != SaveSet.None;
        return machine.Copy(LinkDirection.HostToDevice, (isActivations ? from.Length + kv : from.Length).Value);
    }
}
