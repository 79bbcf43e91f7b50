from arjax.likelihood import log_prob, theta
from arjax.protocol import init, Model
