from igcnas.api.network import load as load
from igcnas.api.searching import open_study as open_study
from igcnas.api.searching import search as search
from igcnas.api.trackers import MLflow as MLflow
from igcnas.api.trackers import TensorBoard as TensorBoard
from igcnas.api.trackers import WandB as WandB
from igcnas.errors import IgcnasError as IgcnasError
from igcnas.network.architecture import Architecture as Architecture
from igcnas.network.architecture import Stage as Stage
from igcnas.network.cost import Cost as Cost
from igcnas.network.cost import count as count
from igcnas.network.plan import Plan as Plan
from igcnas.network.plan import plan as plan
from igcnas.search.callbacks import Callback as Callback

__version__: str
__all__: list[str]
